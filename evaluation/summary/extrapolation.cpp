#include "evaluation/summary/extrapolation.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/clock_text.h"
#include "core/error.h"

namespace tessera {

namespace {

constexpr double kMs = 1e3;

// What each picture took by the wall. A log of an earlier version has only stages: in mode throughput those of the
// thread that runs the models, which follow each other, and not those of the threads beside it.
std::vector<double> picture_ms(const ComparisonResult& result) {
  std::vector<double> times;
  for (const ComparisonRow& row : result.rows) {
    double ms = result.overlapped ? row.wait_ms : row.load_ms;
    for (const Prediction& p : row.predictions) {
      ms += (result.overlapped ? 0 : p.preprocess_ms) + p.inference_ms + p.postprocess_ms;
    }
    times.push_back(row.wall_ms > 0 ? row.wall_ms : ms);
  }
  return times;
}

std::int64_t largest_batch(const ComparisonResult& result) {
  std::int64_t batch = 1;
  for (const ComparisonRow& row : result.rows) batch = std::max(batch, row.batch);
  return batch;
}

}  // namespace

Extrapolation extrapolate(const ComparisonResult& result, std::int64_t pictures) {
  const std::vector<double> times = picture_ms(result);
  const auto measured = static_cast<std::int64_t>(times.size());
  const auto shards = static_cast<std::int64_t>(std::max<std::size_t>(result.parts.size(), 1));
  const std::int64_t batch = largest_batch(result);
  const std::int64_t fewest = 2 * kBatchMeans * batch * shards;
  if (result.loop_ms <= 0 || measured < fewest) {
    throw UsageError(
        fmt::format("--extrapolate wants the folder of a comparison of {} pictures or more{}, with its run.log; here "
                    "are {} pictures{}",
                    fewest, fewest == 2 * kBatchMeans ? "" : fmt::format(" ({} batches)", fewest / batch), measured,
                    result.loop_ms <= 0 ? " without the time that they took together" : ""));
  }
  const MeanInterval mean = batch_means(times);
  const double seconds = result.loop_ms / kMs * static_cast<double>(pictures) / static_cast<double>(result.rows.size());
  double together = 0;  // pictures a second
  for (const RunPart& part : result.parts) {
    if (part.loop_ms > 0) together += static_cast<double>(part.pictures) / (part.loop_ms / kMs);
  }
  return {
      .pictures = pictures,
      .measured = measured,
      .seconds = seconds,
      .interval = {seconds * std::max(0.0, mean.interval.low) / mean.mean, seconds * mean.interval.high / mean.mean},
      .shards = shards,
      .together = together > 0 ? static_cast<double>(pictures) / together : seconds};
}

std::string extrapolation_text(const Extrapolation& e) {
  const std::string by = e.shards == 1 ? "" : " by one process";
  const std::string together = e.shards == 1
                                   ? ""
                                   : fmt::format("{} processes like the shards of this run, beside each other: {}.\n",
                                                 e.shards, clock_text(e.together));
  return fmt::format("\n{} pictures would take{} {} (95 % interval {} to {}), by the {} of this run.\n{}", e.pictures,
                     by, clock_text(e.seconds), clock_text(e.interval.low), clock_text(e.interval.high), e.measured,
                     together);
}

nlohmann::json extrapolation_json(const Extrapolation& e) {
  return {{"pictures", e.pictures}, {"measured", e.measured},         {"seconds", e.seconds},
          {"shards", e.shards},     {"seconds_together", e.together}, {"interval", {e.interval.low, e.interval.high}}};
}

}  // namespace tessera
