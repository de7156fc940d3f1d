#pragma once
// Estimates how long more pictures would take, from a run over some.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "evaluation/compare/result.h"
#include "evaluation/summary/statistics.h"

namespace tessera {

struct Extrapolation {
  std::int64_t pictures = 0;
  std::int64_t measured = 0;  // pictures of the run
  double seconds = 0;         // for `pictures`, by one process; loading of models not counted
  Interval interval;        // 95 %, by batch means of the wall time of each picture: of a machine as it was in the run
  std::int64_t shards = 1;  // of a merged run
  double together = 0;      // seconds, if as many processes run beside each other as the run had shards
};

// The run's time a picture times `pictures`. Throws UsageError where the run has no times, or too few pictures for 40
// batches of each shard: the times within a batch are one measurement.
Extrapolation extrapolate(const ComparisonResult& result, std::int64_t pictures);
std::string extrapolation_text(const Extrapolation& extrapolation);
nlohmann::json extrapolation_json(const Extrapolation& extrapolation);

}  // namespace tessera
