#pragma once
// How long more pictures would take, from a run over some.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "evaluation/result.h"
#include "evaluation/statistics.h"

namespace tessera {

struct Extrapolation {
  std::int64_t pictures = 0;
  std::int64_t measured = 0;  // pictures of the run
  double seconds = 0;         // for `pictures`, loading of models not counted
  Interval interval;          // 95 %, by batch means of what each picture took: of a machine as it was in the run
};

// The run's time a picture times `pictures`. Throws UsageError where the run has no times or fewer than 40 pictures.
Extrapolation extrapolate(const ComparisonResult& result, std::int64_t pictures);
std::string extrapolation_text(const Extrapolation& extrapolation);
nlohmann::json extrapolation_json(const Extrapolation& extrapolation);

}  // namespace tessera
