#pragma once
// The distributions that a page plots instead of a comparison's rows: as many numbers for 50,000 pictures as for 500.

#include <nlohmann/json_fwd.hpp>

#include "evaluation/compare/result.h"
#include "evaluation/summary/summary.h"

namespace tessera {

// Of each stage that took any time: [{"stage", "log": bins of equal ratio, "edges": [bins + 1, ms], "series":
// [{"model": its number, or null for what all share, "counts": [bins], "below", "above": pictures outside of the edges,
// "low", "quarter", "median", "three_quarters", "high": 1, 25, 50, 75, 99 %, "largest"}]}]. Stages: inference
// (of the whole batch), preprocess, postprocess, latency (latency_ms() of result.h), read, decode. The bins of a stage
// are the same for all models and hold the middle 99 %.
nlohmann::json time_distributions(const ComparisonResult& result);

// By class, in the order of summary.classes: {"top5": [class][model], "pairs": [pair][class][both right, first only,
// second only, neither, the same prediction], "bins": n, "confidence": [model][class][bin, right, wrong, bin, ...]}
// with only those bins of confidence that are not empty.
nlohmann::json class_counts(const ComparisonResult& result, const ComparisonSummary& summary);

}  // namespace tessera
