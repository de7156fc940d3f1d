#pragma once
// A sweep: how latency and throughput of models go with batch, threads and type of arithmetic.
//
// Every combination is a cell, compiled as `classify` would compile it. All cells are measured in rounds, in a new
// order each time, so that a machine that grows warm or busy slows all alike. A visit to a cell prepares it (only one
// is prepared at a time) and begins with one run that is not counted, which finds fresh memory and cold caches.

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
  int runs = 0;        // so many counted runs instead; 0: by seconds
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

// Asked after each run with how many visits of a cell are done: false stops the sweep.
using SweepProgress = FunctionRef<bool(std::size_t done, std::size_t total)>;

// Cells by model, dtype, threads and batch in the order of the plan. After a stop, those that have been measured at
// least once. In memory are the models'
// weights and one prepared cell. Throws what opening and compiling a model throws.
std::vector<SweepResult> run_sweep(const SweepPlan& plan, SweepProgress progress);

// Results that share everything but the batch, by their index: a line of the plot.
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
