#pragma once
// A sweep: latency and throughput of models over batch, threads and type of arithmetic.
//
// Every combination is a cell, compiled as `classify` would compile it. All cells are measured in rounds, in a new
// order each time, so that a machine that grows warm or busy slows all cells alike. A visit to a cell prepares it (only
// one is prepared at a time) and begins with one run that is not counted, since its memory is fresh and its caches
// cold.

#include <cstdint>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "evaluation/draw/canvas.h"
#include "evaluation/ready/classifier.h"

namespace tessera {

struct SweepPlan {
  std::vector<std::string> models;
  std::vector<std::string> dtypes{"f32"};
  std::vector<std::int64_t> batches{1};
  std::vector<int> threads{1};
  RunOptions run;      // what all cells share
  double seconds = 2;  // of counted runs for each cell, in all rounds together
  int runs = 0;        // this many counted runs instead; 0: by seconds
};
inline constexpr int kSweepRounds = 5;

struct SweepResult {
  std::string model, device, dtype;
  std::int64_t batch = 1;
  int threads = 1;
  std::size_t runs = 0;                                   // counted
  double min_ms = 0, p50_ms = 0, p90_ms = 0, p99_ms = 0;  // of a batch, by the nearest rank
  double images_per_second = 0;                           // the batch over its median
};

// Called after each run with the number of finished visits to cells; false stops the sweep.
using SweepProgress = FunctionRef<bool(std::size_t done, std::size_t total)>;

// The cells by model, dtype, threads and batch, in the order of the plan; after a stop, those measured at least once.
// The models' weights and one prepared cell are in memory at a time. Throws what opening and compiling a model throws.
std::vector<SweepResult> run_sweep(const SweepPlan& plan, SweepProgress progress);

// A line of the plot: the indices of results that differ only in batch.
struct SweepLine {
  std::string name;
  std::vector<std::size_t> results;  // by batch
  std::size_t knee = 0;              // of these, the smallest batch that reaches 95 % of the line's best throughput
};
std::vector<SweepLine> lines_of(const std::vector<SweepResult>& results);

std::string sweep_text(const std::vector<SweepResult>& results);
std::string sweep_csv(const std::vector<SweepResult>& results);
// Latency (logarithmic) against throughput, a line a model, dtype and number of threads.
Drawing draw_sweep(const std::vector<SweepResult>& results);

}  // namespace tessera
