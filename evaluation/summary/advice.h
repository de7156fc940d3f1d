#pragma once
// Which of the measured models meets a budget, and which are worth their cost at all.

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
  // No other model is as good in every respect (accuracy, latency, memory, parameters) and better in one. Respects that
  // are not known of every model are left out.
  bool on_front = false;
  std::vector<std::string> misses;  // "latency 12.31 ms > 10 ms"; empty: it meets the budget
};
// By model of the summary. What is asked and not known of a model is a miss that says so.
std::vector<ModelAdvice> advise(const ComparisonSummary& summary, const Budget& budget);

// The table of the front, and what meets the budget.
std::string advice_text(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice);
nlohmann::json advice_json(const ComparisonSummary& summary, const std::vector<ModelAdvice>& advice);

}  // namespace tessera
