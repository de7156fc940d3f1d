#pragma once
// Program: a graph that has been rewritten by the passes, planned, and bound to kernels. Immutable and shareable.
// Session: an arena and threads to run it with.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
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
  // Packs the weights as it takes them. Throws ModelFileError when one cannot be had, UsageError for a tap that matches
  // nothing.
  static std::shared_ptr<const Program> compile(Graph graph, WeightSource& weights, const Backend& backend,
                                                const CompileOptions& options);
  // From a store, which must have been checked (check_weights) and is used up.
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
  // Pictures that a run may take, and how it goes through them (BatchPlan). A program with taps keeps the batch whole.
  std::int64_t max_batch() const noexcept { return max_batch_; }
  std::int64_t at_a_time() const { return graph_.batch(); }
  int lanes() const noexcept { return lanes_; }
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
  int threads_ = 1, lanes_ = 1;
};

// How a batch goes through a graph: in parts of some pictures, so that what lies between its layers stays in the
// caches. In one lane all threads work on a part, and the parts follow one another. Otherwise each thread is a lane of
// its own: it takes whole parts, and no layer waits for another thread or for what is in its caches.
struct BatchPlan {
  std::int64_t at_a_time = 1;  // a divisor of the batch
  int lanes = 1;               // or all threads
  int threads = 1;             // of a lane: what its kernels are prepared for
};
// For a fused graph and its batch.
BatchPlan plan_batch(const Graph& graph, const Backend& backend, int threads);

// True when `text` matches `pattern`: '*' any characters, '?' one.
bool glob_match(std::string_view pattern, std::string_view text);

struct NodeEvent {
  std::size_t index;  // of the node in graph.nodes()
  const Node& node;
  const Kernel& kernel;
  std::int64_t picture;   // of the batch, the first one of this part
  int lane;               // that ran it, below Program::lanes()
  int lanes_at_once;      // how many ran at the same time: fewer where there are fewer parts
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
  // The calls of one run do not overlap. Nodes of one lane are told of in their order, those of several as they come.
  virtual void before_run() {}
  virtual void after_node(const NodeEvent& event) = 0;
};

// A value for one of a graph's inputs: float32, int32 or int64.
struct NamedInput {
  std::string_view name;
  ConstValueView values;
};

// Runs a program. Not thread-safe: one session a calling thread.
class Session {
 public:
  explicit Session(std::shared_ptr<const Program> program);

  // input [n, H, W, 3] with 1 <= n <= max_batch. The result [n, ...] lies in the session and is valid until the next
  // run. Does not allocate. Throws UsageError for another shape.
  ConstView run(ConstView input, std::span<Observer* const> observers = {});
  // The same for each of a graph's inputs, in any order. Throws UsageError for a name, a type or a shape that is not
  // that of an input, and for an input that is not given.
  ConstView run(std::span<const NamedInput> inputs, std::span<Observer* const> observers = {});
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

  // What one part of a batch is run in.
  struct Lane {
    AlignedBytes arena;
    Tensor scratch;
    std::vector<ConstValueView> given;                // by input of the graph: this part of what the run was given
    std::vector<std::vector<ConstValueView>> inputs;  // by node; rewritten by each run
    std::int64_t batch = 0;                           // of the last part
    std::unique_ptr<ThreadPool> alone;                // of a lane that is one thread
  };
  // Pictures [picture, picture + count).
  struct Part {
    std::int64_t picture, count;
    int lane, lanes_at_once;
  };

  Lane make_lane() const;
  ValueView value(const Lane& lane, ValueId id) const;
  ConstView run_taken(std::int64_t batch, Observers observers);
  KernelArguments arguments(Lane& lane, std::size_t node);
  void run_parts(std::int64_t batch, Observers observers);
  void run_part(const Part& part, Observers observers);
  void run_on_device(std::int64_t batch, Observers observers);
  void upload_part(const Part& part, int slot);
  void launch();
  void launch_or_replay();
  void launch_observed(std::int64_t picture, Observers observers);
  Tensor fetch(const ConstValueView& value) const;

  std::shared_ptr<const Program> program_;
  std::vector<Lane> lanes_;
  std::vector<ConstValueView> taken_;  // by input of the graph: the whole batch of the run
  Tensor output_;  // of all parts of a batch, or from the device; empty where the arena has it whole
  std::unique_ptr<DeviceQueue> queue_;  // null: on the host, in the lanes' arenas
  ThreadPool threads_;
  std::mutex observing_;              // held while observers are told of a node
  std::map<std::int64_t, int> runs_;  // by batch; on a device
  std::optional<RunClock> clock_;
};

}  // namespace tessera
