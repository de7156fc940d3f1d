#include <algorithm>
#include <array>

#include "core/error.h"
#include "engine/backend.h"

namespace tessera {

namespace {

constexpr std::size_t kMostInputs = 16;

class EigenKernel final : public Kernel {
 public:
  EigenKernel(Layer layer, std::vector<Tensor> weights, std::int64_t scratch)
      : layer_(std::move(layer)), weights_(layer_prepare(layer_, std::move(weights))), scratch_(scratch) {}

  std::string_view implementation() const noexcept override { return "eigen"; }
  std::int64_t scratch() const noexcept override { return scratch_; }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const Tensor& tensor : weights_) bytes += tensor.values().size_bytes();
    return bytes;
  }
  void run(const KernelArguments& arguments) const override {
    std::array<ConstView, kMostInputs> inputs;
    std::ranges::transform(arguments.inputs, inputs.begin(), [](const ConstValueView& value) { return value.f32(); });
    layer_forward(layer_, {.inputs = std::span(inputs).first(arguments.inputs.size()),
                           .weights = weights_,
                           .output = arguments.output.f32(),
                           .scratch = arguments.scratch,
                           .threads = arguments.threads});
  }

 private:
  Layer layer_;
  std::vector<Tensor> weights_;
  std::int64_t scratch_;
};

class EigenBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "eigen"; }
  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    if (request.in.size() > kMostInputs) throw InternalError(request.node.path + ": more than 16 inputs");
    const Layer& layer = request.node.layer;
    return std::make_unique<EigenKernel>(layer, std::move(weights), layer_scratch(layer, request.in, request.threads));
  }
};

}  // namespace

std::unique_ptr<Backend> make_eigen_backend() { return std::make_unique<EigenBackend>(); }

}  // namespace tessera
