#include "evaluation/report/distributions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "core/quantile.h"

namespace tessera {

namespace {

constexpr std::size_t kTimeBins = 60;
constexpr int kConfidenceBins = 20;

// The times of a stage, of one model or of what all share; sorted.
struct Times {
  std::optional<std::size_t> model;
  std::vector<double> sorted;
};

struct Stage {
  const char* name;
  double (*of_model)(const ComparisonRow&, std::size_t model);
  double (*of_all)(const ComparisonRow&);
};

constexpr std::array<Stage, 6> kStages{
    {{"inference", batch_inference_ms, nullptr},
     {"preprocess", [](const ComparisonRow& row, std::size_t m) { return row.predictions[m].preprocess_ms; }, nullptr},
     {"postprocess", [](const ComparisonRow& row, std::size_t m) { return row.predictions[m].postprocess_ms; },
      nullptr},
     {"latency", latency_ms, nullptr},
     {"read", nullptr, [](const ComparisonRow& row) { return row.read_ms; }},
     // Where only the sum is known, that is what is shown.
     {"decode", nullptr, [](const ComparisonRow& row) { return row.load_ms - row.read_ms; }}}};

template <class Value>
std::vector<double> sorted_times(const ComparisonResult& result, const Value& value) {
  std::vector<double> times;
  for (const ComparisonRow& row : result.rows) {
    if (row.error.empty()) times.push_back(value(row));
  }
  std::ranges::sort(times);
  return times;
}

std::vector<Times> times_of(const ComparisonResult& result, const Stage& stage) {
  std::vector<Times> all;
  if (stage.of_all != nullptr) {
    all.push_back({.model = {}, .sorted = sorted_times(result, stage.of_all)});
  } else {
    for (std::size_t m = 0; m < result.header.models.size(); ++m) {
      const auto value = [&](const ComparisonRow& row) { return stage.of_model(row, m); };
      all.push_back({.model = m, .sorted = sorted_times(result, value)});
    }
  }
  return all;
}

struct Bins {
  bool log = false;
  std::vector<double> edges;
};

Bins bins_of(const std::vector<Times>& all) {
  constexpr double kLow = 0.005, kHigh = 0.995, kFarApart = 4;
  double low = HUGE_VAL, high = 0;
  for (const Times& times : all) {
    low = std::min(low, quantile(times.sorted, kLow));
    high = std::max(high, quantile(times.sorted, kHigh));
  }
  Bins bins{.log = low > 0 && high > kFarApart * low, .edges = {}};
  if (!(high > low)) {  // all alike: bins around them
    low *= 0.95;
    high *= 1.05;
  }
  for (std::size_t i = 0; i <= kTimeBins; ++i) {
    const double part = static_cast<double>(i) / kTimeBins;
    bins.edges.push_back(bins.log ? low * std::pow(high / low, part) : low + (high - low) * part);
  }
  bins.edges.back() = high;
  return bins;
}

nlohmann::json series_json(const Times& times, const Bins& bins) {
  std::vector<std::int64_t> counts(kTimeBins);
  std::int64_t below = 0, above = 0;
  for (const double time : times.sorted) {
    if (time < bins.edges.front()) {
      ++below;
    } else if (time > bins.edges.back()) {
      ++above;
    } else {
      const auto edge = std::ranges::upper_bound(bins.edges, time);
      ++counts[std::min(static_cast<std::size_t>(edge - bins.edges.begin()) - 1, kTimeBins - 1)];
    }
  }
  return {{"model", times.model ? nlohmann::json(*times.model) : nlohmann::json()},
          {"counts", counts},
          {"below", below},
          {"above", above},
          {"low", quantile(times.sorted, 0.01)},
          {"quarter", quantile(times.sorted, 0.25)},
          {"median", quantile(times.sorted, 0.5)},
          {"three_quarters", quantile(times.sorted, 0.75)},
          {"high", quantile(times.sorted, 0.99)},
          {"largest", times.sorted.back()}};
}

// Which of the bins of confidence; the last holds 1 as well.
int confidence_bin(double confidence) {
  return std::clamp(static_cast<int>(confidence * kConfidenceBins), 0, kConfidenceBins - 1);
}

using BinCounts = std::map<int, std::array<std::int64_t, 2>>;  // by bin: right, wrong

nlohmann::json flat(const BinCounts& bins) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [bin, counts] : bins) {
    list.push_back(bin);
    list.push_back(counts[0]);
    list.push_back(counts[1]);
  }
  return list;
}

}  // namespace

nlohmann::json time_distributions(const ComparisonResult& result) {
  nlohmann::json stages = nlohmann::json::array();
  for (const Stage& stage : kStages) {
    const std::vector<Times> all = times_of(result, stage);
    const bool taken =
        std::ranges::any_of(all, [](const Times& times) { return !times.sorted.empty() && times.sorted.back() > 0; });
    if (!taken) continue;
    const Bins bins = bins_of(all);
    nlohmann::json series = nlohmann::json::array();
    for (const Times& times : all) series.push_back(series_json(times, bins));
    stages.push_back({{"stage", stage.name}, {"log", bins.log}, {"edges", bins.edges}, {"series", series}});
  }
  return stages;
}

nlohmann::json class_counts(const ComparisonResult& result, const ComparisonSummary& summary) {
  const std::size_t classes = summary.classes.size(), models = result.header.models.size();
  std::map<int, std::size_t> place;
  for (std::size_t c = 0; c < classes; ++c) place.emplace(summary.classes[c].label, c);
  std::vector<std::vector<std::int64_t>> top5(classes, std::vector<std::int64_t>(models));
  std::vector<std::vector<std::array<std::int64_t, 5>>> pairs(summary.pairs.size(),
                                                              std::vector<std::array<std::int64_t, 5>>(classes));
  std::vector<std::vector<BinCounts>> confidence(models, std::vector<BinCounts>(classes));
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    const std::size_t c = place.at(row.sample.label);
    for (std::size_t m = 0; m < models; ++m) {
      const Prediction& p = row.predictions[m];
      top5[c][m] += p.top5_correct ? 1 : 0;
      ++confidence[m][c][confidence_bin(p.confidence)][p.top1_correct ? 0 : 1];
    }
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const Prediction &a = row.predictions[summary.pairs[i].first], &b = row.predictions[summary.pairs[i].second];
      ++pairs[i][c][a.top1_correct ? (b.top1_correct ? 0 : 1) : (b.top1_correct ? 2 : 3)];
      pairs[i][c][4] += a.index == b.index ? 1 : 0;
    }
  }
  nlohmann::json by_confidence = nlohmann::json::array();
  for (const std::vector<BinCounts>& of_model : confidence) {
    nlohmann::json list = nlohmann::json::array();
    for (const BinCounts& bins : of_model) list.push_back(flat(bins));
    by_confidence.push_back(list);
  }
  return {{"top5", top5}, {"pairs", pairs}, {"bins", kConfidenceBins}, {"confidence", by_confidence}};
}

}  // namespace tessera
