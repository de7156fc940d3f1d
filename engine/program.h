#pragma once
// Program: a graph that has been rewritten by the passes, planned, and bound to kernels. Immutable and shareable.
// Session: an arena and threads to run it with.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "core/thread_pool.h"
#include "engine/backend.h"
#include "engine/graph.h"
#include "engine/memory_plan.h"
#include "engine/passes.h"
#include "engine/weight_store.h"

namespace tessera {

struct CompileOptions {
  bool optimise = true;           // false: one node a layer, as the paper draws it
  bool rewrite = true;            // false: without what the backend fuses itself (Backend::rewrite)
  std::vector<std::string> taps;  // globs over Graph::names(): values that must exist after a run
  int threads = 1;                // of the sessions that will run it; sizes the scratch
};

class Program {
 public:
  // Packs the weights, which it uses up. Throws ModelFileError when one is missing, UsageError for a tap that matches
  // nothing. `weights` must have been checked (check_weights).
  static std::shared_ptr<const Program> compile(Graph graph, WeightStore weights, const Backend& backend,
                                                const CompileOptions& options);

  const Graph& graph() const noexcept { return graph_; }
  const MemoryPlan& plan() const noexcept { return plan_; }
  const ValueType& type(ValueId id) const { return types_.at(static_cast<std::size_t>(id)); }
  const std::vector<PassResult>& pass_results() const noexcept { return pass_results_; }
  const Kernel& kernel(std::size_t node) const { return *kernels_.at(node); }
  std::string_view backend() const noexcept { return backend_; }
  // Null: sessions run on the host.
  const Device* device() const noexcept { return device_.get(); }
  int threads() const noexcept { return threads_; }
  // Pictures that a run may take, and how many of them at a time go through the graph, so that what lies between its
  // layers stays in the caches. A program with taps keeps the batch whole.
  std::int64_t max_batch() const noexcept { return max_batch_; }
  std::int64_t at_a_time() const { return graph_.batch(); }
  std::int64_t scratch() const noexcept { return scratch_; }
  std::size_t weight_bytes() const;
  // Arena and scratch of one session.
  std::size_t activation_bytes() const;
  // Names that the taps matched, sorted.
  const std::vector<std::string>& taps() const noexcept { return taps_; }

 private:
  Program() = default;

  Graph graph_;
  std::vector<ValueType> types_;  // by ValueId
  MemoryPlan plan_;
  std::vector<PassResult> pass_results_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<std::string> taps_;
  std::string backend_;
  std::shared_ptr<const Device> device_;
  std::int64_t max_batch_ = 1;
  std::int64_t scratch_ = 0;
  int threads_ = 1;
};

// How many pictures of its batch a fused graph is run with at a time on a backend: a divisor of the batch.
std::int64_t pictures_at_a_time(const Graph& graph, const Backend& backend);

// True when `text` matches `pattern`: '*' any characters, '?' one.
bool glob_match(std::string_view pattern, std::string_view text);

struct NodeEvent {
  std::size_t index;  // of the node in graph.nodes()
  const Node& node;
  const Kernel& kernel;
  std::int64_t picture;   // of the batch, the first one of this part
  ConstValueView output;  // of this part; valid during the call. From a device only where the observer reads values
  std::int64_t begin_ns;  // steady clock, on a device its own
  std::int64_t end_ns;
};

// Sees each node of a run as it ends: profile, comparison, dump.
class Observer {
 public:
  virtual ~Observer() = default;
  // False: only shapes and times of events are looked at, and values need not come from a device.
  virtual bool reads_values() const { return true; }
  virtual void after_node(const NodeEvent& event) = 0;
};

// Runs a program. Not thread-safe: one session a calling thread.
class Session {
 public:
  explicit Session(std::shared_ptr<const Program> program);

  // input [n, H, W, 3] with 1 <= n <= max_batch. The result [n, ...] lies in the session and is valid until the next
  // run. Does not allocate. Throws UsageError for another shape.
  ConstView run(ConstView input, std::span<Observer* const> observers = {});
  // A tapped value of the last run, by a name that CompileOptions::taps matched. Throws UsageError otherwise.
  // What is kept in fewer bits than float32 is given as the float32 values that it stands for.
  Tensor tap(std::string_view name) const;

  const Program& program() const noexcept { return *program_; }
  // Who is told what each thread does of the runs to come, beside the observers of a run; null: nobody.
  void observe_threads(RegionObserver* observer) noexcept { threads_.observe(observer); }
  // Of the last run, on a device.
  const std::optional<RunClock>& clock() const noexcept { return clock_; }

 private:
  using Observers = std::span<Observer* const>;

  ValueView value(ValueId id) const;
  KernelArguments arguments(std::size_t node, const ConstValueView& input);
  void run_parts(ConstView input, Observers observers);
  void run_part(ConstView input, std::int64_t picture, Observers observers);
  void run_on_device(ConstView input, Observers observers);
  void launch(const ConstValueView& input);
  void launch_or_replay(const ConstValueView& input);
  void launch_observed(const ConstValueView& input, std::int64_t picture, Observers observers);
  Tensor fetch(const ConstValueView& value) const;

  std::shared_ptr<const Program> program_;
  AlignedBytes arena_;
  Tensor scratch_;
  Tensor output_;  // of all parts of a batch, or from the device; empty where the arena has it whole
  std::unique_ptr<DeviceQueue> queue_;  // null: on the host, in arena_
  ThreadPool threads_;
  std::vector<std::vector<ConstValueView>> inputs_;  // by node; rewritten by each run
  std::int64_t batch_ = 0;                           // of the last part
  std::map<std::int64_t, int> runs_;                 // by batch; on a device
  std::optional<RunClock> clock_;
};

}  // namespace tessera
