#pragma once
// Compares a run in mode throughput with the speed of its models alone, and says what caused the difference.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "evaluation/compare/result.h"

namespace tessera {

// The parts are shares of the time of the thread (with MPI: of each process) that runs the models.
struct PipelineSummary {
  double per_second = 0;        // pictures of this run; of a merged run, of one shard's process on average
  double alone_per_second = 0;  // pictures of its models in the best run of the warm-up, with nothing beside them
  std::size_t parts = 0;        // shards of a merged run
  double reached = 0;           // the former over the latter
  double waited = 0;            // for pictures to be prepared
  double slowed = 0;            // inference beyond its time in the warm-up; negative where it took less
  double other = 0;             // softmax, the five best
};

// Empty in mode latency, without a warm-up of at least two runs, and where only predictions are known.
std::optional<PipelineSummary> summarise_pipeline(const ComparisonResult& result);

// What bounded it, in a sentence.
std::string bound_of(const PipelineSummary& pipeline);
std::string pipeline_text(const PipelineSummary& pipeline);
nlohmann::json pipeline_json(const PipelineSummary& pipeline);

}  // namespace tessera
