#pragma once
// What a device must offer: prepare a node once (pack its weights, choose an algorithm), run it many times.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "core/thread_pool.h"
#include "core/value.h"
#include "engine/device.h"
#include "engine/graph.h"
#include "engine/passes.h"

namespace tessera {

struct KernelArguments {
  std::span<const ConstValueView> inputs;
  ValueView output;
  std::span<float> scratch;  // at least scratch() floats, contents undefined
  ThreadPool& threads;
  DeviceQueue* queue = nullptr;  // of a backend with a device, where values and scratch then lie
};

// One prepared node. Immutable; run() may be called from several sessions at once and does not allocate.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // How the node is computed ("eigen", "winograd_f4_avx2"): shown in every report.
  virtual std::string_view implementation() const noexcept = 0;
  // Floats of scratch memory that run() needs at the largest batch.
  virtual std::int64_t scratch() const noexcept { return 0; }
  virtual std::size_t weight_bytes() const noexcept { return 0; }
  // The batch, dimension 0 of inputs and output, may be smaller than the graph's.
  virtual void run(const KernelArguments& arguments) const = 0;
};

// A node to be prepared, with the shapes of its values at the largest batch and their types.
struct NodeRequest {
  const Node& node;
  Shapes in;
  const Shape& out;
  std::span<const ValueType> in_types;
  ValueType out_type;
  int threads = 1;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const noexcept = 0;
  // Rewrites a graph that the passes have been over into what this backend computes better, values in `kept` aside.
  virtual void rewrite(Graph& /*graph*/, const KeptValues& /*kept*/) const {}
  // How each value of the graph is to be kept, by ValueId. Its input and output are always float32.
  virtual std::vector<ValueType> choose_types(const Graph& graph) const {
    return std::vector<ValueType>(graph.value_count());
  }
  // Bytes of activations that it works on at its best; larger batches are run in parts. 0: the whole batch.
  virtual std::size_t activation_cache() const noexcept { return 0; }
  // Pictures that it takes at a time at most, so that copies of the next ones go beside. 0: the whole batch.
  virtual std::int64_t most_pictures() const noexcept { return 0; }
  // Where its kernels run, when that is not the host.
  virtual std::shared_ptr<const Device> device() const { return nullptr; }
  // `weights` in the order of node.weights. Called for different nodes from several threads at once.
  virtual std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const = 0;
};

// Runs each layer's readable forward(): the definition that everything else is tested against.
std::unique_ptr<Backend> make_eigen_backend();

}  // namespace tessera
