#include "evaluation/summary/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tessera {

namespace {

constexpr double kPercent = 100;

}  // namespace

std::optional<PipelineSummary> summarise_pipeline(const ComparisonResult& result) {
  if (result.alone_pictures <= 0 || result.rows.empty()) return std::nullopt;
  double waited = 0, ran = 0, other = 0;
  for (const ComparisonRow& row : result.rows) {
    waited += row.wait_ms;
    for (const Prediction& prediction : row.predictions) {
      ran += prediction.inference_ms;
      other += prediction.postprocess_ms;
    }
  }
  const double whole = std::max(waited + ran + other, 1e-9);
  constexpr double kMs = 1e3;
  const auto pictures = static_cast<double>(result.rows.size());
  PipelineSummary pipeline{.per_second = pictures / result.loop_ms * kMs,
                           .alone_per_second = result.alone_pictures / result.loop_ms * kMs,
                           .parts = result.parts.size(),
                           .reached = pictures / result.alone_pictures,
                           .waited = waited / whole,
                           .other = other / whole};
  pipeline.slowed = ran / whole - pipeline.reached;
  return pipeline;
}

std::string bound_of(const PipelineSummary& p) {
  constexpr double kNear = 0.95, kBeyond = 1.05;
  if (p.reached > kBeyond) return "the warm-up was slower than the run, so it does not show what bounded that";
  if (p.reached >= kNear) return "inference itself bounds the run";
  if (p.waited >= std::max(p.slowed, p.other)) {
    return "reading, decoding and preprocessing bound the run: the models waited for pictures (more --workers help "
           "only where cores are idle)";
  }
  if (p.slowed >= p.other) return "the cores bound the run: the models share them with the threads that decode";
  return "softmax and the choice of the best classes bound the run";
}

std::string pipeline_text(const PipelineSummary& p) {
  return fmt::format(
      "{:.2f} images/s{}, {:.1f} % of the {:.2f} that the models managed in the warm-up, alone: {}.\n"
      "Of the models' time: {:.1f} % waiting for pictures, {:.1f} % inference slower than alone, {:.1f} % softmax.",
      p.per_second, p.parts > 0 ? fmt::format(" a process ({} shards)", p.parts) : "", p.reached * kPercent,
      p.alone_per_second, bound_of(p), p.waited * kPercent, std::max(p.slowed, 0.0) * kPercent, p.other * kPercent);
}

nlohmann::json pipeline_json(const PipelineSummary& p) {
  return {{"images_per_s", p.per_second},
          {"alone_images_per_s", p.alone_per_second},
          {"shards", p.parts},
          {"reached", p.reached},
          {"waited", p.waited},
          {"slowed", p.slowed},
          {"other", p.other},
          {"bound", bound_of(p)}};
}

}  // namespace tessera
