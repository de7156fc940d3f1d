#include "evaluation/extrapolation.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/clock_text.h"
#include "core/error.h"

namespace tessera {

namespace {

constexpr double kMs = 1e3;

// What each picture that has predictions took, of all models.
std::vector<double> picture_ms(const ComparisonResult& result) {
  std::vector<double> times;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    double ms = row.load_ms + row.wait_ms;
    for (const Prediction& p : row.predictions) ms += p.preprocess_ms + p.inference_ms + p.postprocess_ms;
    times.push_back(ms);
  }
  return times;
}

}  // namespace

Extrapolation extrapolate(const ComparisonResult& result, std::int64_t pictures) {
  const std::vector<double> times = picture_ms(result);
  const auto measured = static_cast<std::int64_t>(times.size());
  constexpr std::int64_t kFewest = 2 * kBatchMeans;
  if (result.loop_ms <= 0 || measured < kFewest) {
    throw UsageError(
        fmt::format("--extrapolate wants the folder of a comparison of {} pictures or more, with its run.log; here are "
                    "{} pictures{}",
                    kFewest, measured, result.loop_ms <= 0 ? " without the time that they took together" : ""));
  }
  const MeanInterval mean = batch_means(times);
  const double seconds = result.loop_ms / kMs * static_cast<double>(pictures) / static_cast<double>(result.rows.size());
  return {.pictures = pictures,
          .measured = measured,
          .seconds = seconds,
          .interval = {seconds * mean.interval.low / mean.mean, seconds * mean.interval.high / mean.mean}};
}

std::string extrapolation_text(const Extrapolation& e) {
  return fmt::format("\n{} pictures would take {} (95 % interval {} to {}), by the {} of this run.\n", e.pictures,
                     clock_text(e.seconds), clock_text(e.interval.low), clock_text(e.interval.high), e.measured);
}

nlohmann::json extrapolation_json(const Extrapolation& e) {
  return {{"pictures", e.pictures},
          {"measured", e.measured},
          {"seconds", e.seconds},
          {"interval", {e.interval.low, e.interval.high}}};
}

}  // namespace tessera
