#include "evaluation/summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/profile.h"

namespace tessera {

namespace {

template <class Time>
TimeSummary summarise_times(const ComparisonResult& result, const Time& time) {
  std::vector<double> values;
  TimeSummary summary;
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    values.push_back(time(row));
    summary.total += values.back();
  }
  if (values.empty()) return summary;
  std::ranges::sort(values);
  summary.mean = summary.total / static_cast<double>(values.size());
  summary.median = quantile(values, 0.5);
  summary.min = values.front();
  summary.max = values.back();
  return summary;
}

PairSummary summarise_pair(const ComparisonResult& result, std::size_t first, std::size_t second) {
  constexpr std::size_t kExamples = 5;
  PairSummary pair{.first = first, .second = second};
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const ComparisonRow& row = result.rows[i];
    if (!row.error.empty()) continue;
    const Prediction& a = row.predictions[first];
    const Prediction& b = row.predictions[second];
    pair.same += a.index == b.index ? 1 : 0;
    if (a.top1_correct && b.top1_correct) {
      ++pair.both;
      continue;
    }
    const std::size_t kind = a.top1_correct ? 0 : b.top1_correct ? 1 : 2;
    ++(kind == 0 ? pair.first_only : kind == 1 ? pair.second_only : pair.neither);
    if (pair.examples[kind].size() < kExamples) pair.examples[kind].push_back(i);
  }
  return pair;
}

nlohmann::json to_json(const TimeSummary& time) {
  return {{"total", time.total}, {"mean", time.mean}, {"median", time.median}, {"min", time.min}, {"max", time.max}};
}

}  // namespace

ComparisonSummary summarise(const ComparisonResult& result, const std::vector<std::unique_ptr<Classifier>>& models,
                            double total_ms) {
  ComparisonSummary summary{.loop_ms = result.loop_ms, .total_ms = total_ms, .interrupted = result.interrupted};
  for (const ComparisonRow& row : result.rows) ++(row.error.empty() ? summary.pictures : summary.errors);
  for (std::size_t m = 0; m < models.size(); ++m) {
    ModelSummary model{.name = models[m]->card().name, .load_ms = models[m]->load_ms()};
    for (const ComparisonRow& row : result.rows) {
      if (!row.error.empty()) continue;
      model.top1 += row.predictions[m].top1_correct ? 1 : 0;
      model.top5 += row.predictions[m].top5_correct ? 1 : 0;
    }
    model.preprocess = summarise_times(result, [m](const auto& row) { return row.predictions[m].preprocess_ms; });
    model.inference = summarise_times(result, [m](const auto& row) { return row.predictions[m].inference_ms; });
    const double each = model.preprocess.mean + model.inference.mean;
    model.images_per_second = each > 0 ? 1000.0 / each : 0;
    summary.models.push_back(std::move(model));
  }
  for (std::size_t a = 0; a < models.size(); ++a) {
    for (std::size_t b = a + 1; b < models.size(); ++b) summary.pairs.push_back(summarise_pair(result, a, b));
  }
  summary.load = summarise_times(result, [](const auto& row) { return row.load_ms; });
  return summary;
}

nlohmann::json summary_json(const ComparisonSummary& summary) {
  nlohmann::json json{{"pictures", summary.pictures},      {"errors", summary.errors},
                      {"load_ms", to_json(summary.load)},  {"loop_ms", summary.loop_ms},
                      {"total_ms", summary.total_ms},      {"interrupted", summary.interrupted},
                      {"models", nlohmann::json::array()}, {"pairs", nlohmann::json::array()}};
  for (const ModelSummary& model : summary.models) {
    json["models"].push_back({{"name", model.name},
                              {"model_load_ms", model.load_ms},
                              {"top1", model.top1},
                              {"top5", model.top5},
                              {"preprocess_ms", to_json(model.preprocess)},
                              {"inference_ms", to_json(model.inference)},
                              {"images_per_second", model.images_per_second}});
  }
  for (const PairSummary& pair : summary.pairs) {
    json["pairs"].push_back({{"models", {summary.models[pair.first].name, summary.models[pair.second].name}},
                             {"both_correct", pair.both},
                             {"first_only", pair.first_only},
                             {"second_only", pair.second_only},
                             {"both_wrong", pair.neither},
                             {"same_prediction", pair.same}});
  }
  return json;
}

}  // namespace tessera
