#pragma once
// Finds the measured models that meet a budget, and those that are worth their cost at all.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/summary/summary.h"

namespace tessera {

struct Budget {
  std::optional<double> latency_ms;  // most, p90 of latency_ms() of result.h: of the whole batch where there is one
  std::optional<double> images_per_second;  // least, throughput_of() of summary.h
  std::optional<double> memory_bytes;       // most
  std::optional<double> parameters;         // most
  std::optional<double> accuracy;           // least, top-1, 0 to 1
};
// "latency=10ms,memory=200MB,accuracy=78%,throughput=50,parameters=30M": any of them, in any order. Units: us, ms, s;
// kB, MB, GB, KiB, MiB, GiB; K, M, G; % (or a share). Throws UsageError.
Budget budget_from_string(const std::string& text);

struct ModelAdvice {
  // No other model is as good in every respect (accuracy, latency, memory, parameters) and better in one. A respect
  // that is not known for every model is left out.
  bool on_front = false;
  std::vector<std::string> misses;  // "latency 12.31 ms > 10 ms"; empty: it meets the budget
};
// For each model of the summary. A limit on a figure that is not known is a miss that says so.
std::vector<ModelAdvice> advise(const ComparisonSummary& summary, const Budget& budget);

// The table of models that no other beats, and the models that meet the budget.
std::string advice_text(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice);
nlohmann::json advice_json(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice);

}  // namespace tessera
