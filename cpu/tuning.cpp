#include "cpu/tuning.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <vector>

#include "core/clock.h"
#include "core/thread_pool.h"
#include "cpu/methods.h"

namespace tessera {

namespace {

constexpr std::size_t kRounds = 7;
// What another way must take of the time of the rule's choice: differences below are noise.
constexpr double kClearly = 0.96;

Tensor ones(const Shape& shape) { return Tensor::filled(shape, 1.0F); }

// A node with values to run it on.
class Trial {
 public:
  Trial(const NodeRequest& request, ThreadPool& threads) : threads_(threads) {
    for (std::size_t i = 0; i < request.in.size(); ++i) views_.emplace_back(value(request.in[i], request.in_types[i]));
    output_ = value(request.out, request.out_type);
    for (const WeightSpec& spec : request.node.weights) weights_.push_back(ones(spec.shape));
  }

  void add(const cpu::Method& method, const NodeRequest& request) {
    std::vector<Tensor> weights;
    for (const Tensor& tensor : weights_) weights.push_back(tensor.clone());
    kernels_.push_back(method.make(request, layer_prepare(request.node.layer, std::move(weights))));
    scratch_.resize(std::max(scratch_.size(), static_cast<std::size_t>(kernels_.back()->scratch())));
  }

  // The median time of each kernel in turn, in the order in which they were added.
  std::vector<double> seconds(Tensor& evict) {
    std::vector<std::array<double, kRounds>> times(kernels_.size());
    for (std::size_t round = 0; round < kRounds; ++round) {
      for (std::size_t k = 0; k < kernels_.size(); ++k) {
        std::ranges::fill(evict.values(), static_cast<float>(round));
        for (const Tensor& tensor : values_) read(tensor);
        const auto begin = Clock::now();
        kernels_[k]->run({views_, output_, scratch_, threads_});
        times[k][round] = std::chrono::duration<double>(Clock::now() - begin).count();
      }
    }
    std::vector<double> medians;
    for (auto& of_kernel : times) {
      std::ranges::nth_element(of_kernel, of_kernel.begin() + kRounds / 2);
      medians.push_back(of_kernel[kRounds / 2]);
    }
    return medians;
  }

 private:
  // Memory for a value of any type; its bytes, those of float32 ones, are values like others in every type.
  ValueView value(const Shape& shape, const ValueType& type) {
    const std::int64_t floats = (shape.count() * bytes_of(type.dtype) + 3) / 4;
    values_.push_back(ones({floats}));
    return {reinterpret_cast<std::byte*>(values_.back().data()), type, shape};
  }
  static void read(const Tensor& tensor) {
    float sum = 0;
    for (const float v : tensor.values()) sum += v;
    [[maybe_unused]] volatile float kept = sum;
  }

  ThreadPool& threads_;
  std::vector<Tensor> values_, weights_;
  std::vector<ConstValueView> views_;
  ValueView output_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<float> scratch_;
};

}  // namespace

KernelChoices tune_kernels(const Graph& graph, const CpuOptions& options, int threads) {
  constexpr std::int64_t kEvictFloats = 16 << 20;  // 64 MB: beyond the caches of one core's share
  const cpu::Settings settings = cpu::settings_for(options);
  const std::vector<ValueType> types = make_cpu_backend(options)->choose_types(graph);
  const auto type = [&](ValueId id) { return types[static_cast<std::size_t>(id)]; };
  KernelChoices choices = options.choices;
  ThreadPool pool(threads);
  Tensor evict = Tensor::zeros({kEvictFloats});
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> in = graph.input_shapes(node);
    std::vector<ValueType> in_types;
    for (const ValueId id : node.inputs) in_types.push_back(type(id));
    const NodeRequest request{.node = node,
                              .in = in,
                              .out = graph.shape(node.output),
                              .in_types = in_types,
                              .out_type = type(node.output),
                              .threads = threads};
    const std::vector<cpu::Method> methods = cpu::methods_for(settings, request);
    if (methods.size() < 2) continue;
    const auto [choice, is_new] = choices.try_emplace(cpu::choice_key(settings, request), methods.front().name);
    if (!is_new) continue;
    Trial trial(request, pool);
    for (const cpu::Method& method : methods) trial.add(method, request);
    const std::vector<double> seconds = trial.seconds(evict);
    const auto fastest = std::ranges::min_element(seconds);
    if (*fastest < kClearly * seconds.front()) {
      choice->second = methods[static_cast<std::size_t>(fastest - seconds.begin())].name;
    }
  }
  return choices;
}

}  // namespace tessera
