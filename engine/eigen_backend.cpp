#include "engine/backend.h"

namespace tessera {

namespace {

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
    layer_forward(layer_, {.inputs = arguments.inputs,
                           .weights = weights_,
                           .output = arguments.output,
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
  std::unique_ptr<Kernel> prepare(const Node& node, Shapes in, const Shape&, std::vector<Tensor> weights,
                                  int threads) const override {
    return std::make_unique<EigenKernel>(node.layer, std::move(weights), layer_scratch(node.layer, in, threads));
  }
};

}  // namespace

std::unique_ptr<Backend> make_eigen_backend() { return std::make_unique<EigenBackend>(); }

}  // namespace tessera
