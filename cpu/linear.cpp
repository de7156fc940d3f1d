// Linear layers: one matrix product over all rows of all pictures.
#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

class LinearKernel final : public TableKernel {
 public:
  LinearKernel(const KernelTable& table, const Linear& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "gemm"),
        epilogue_(make_epilogue(layer.activation)),
        weight_(table, weights[0].data(), layer.out_features, weights[0].shape()[1], weights[0].shape()[1],
                layer.bias ? std::as_const(weights[1]).values() : std::span<const float>()),
        scratch_(scratch_for(table, request)) {}

  std::int64_t scratch() const noexcept override { return scratch_; }
  std::size_t weight_bytes() const noexcept override { return weight_.bytes(); }

  void run(const KernelArguments& arguments) const override {
    const ConstView x = arguments.inputs[0].f32();
    const float* from = x.data();
    const std::int64_t k = weight_.k();
    multiply(
        {.table = table_,
         .b = weight_,
         .rows = x.count() / k,
         .c = arguments.output.f32().data(),
         .stride = weight_.n(),
         .residual = arguments.inputs.size() > 1 ? arguments.inputs[1].f32().data() : nullptr,
         .epilogue = epilogue_,
         .lines = scratch_ == 0 ? nullptr : arguments.scratch.data()},
        [&](std::int64_t row, std::int64_t rows, const float** pointers) {
          for (std::int64_t r = 0; r < rows; ++r) pointers[r] = from + (row + r) * k;
        },
        arguments.threads);
  }

 private:
  std::int64_t scratch_for(const KernelTable& table, const NodeRequest& request) const {
    const std::int64_t k = weight_.k(), rows = request.in[0].count() / k;
    const bool lines = lines_pay(rows, weight_.n(), k, k * static_cast<std::int64_t>(sizeof(float)));
    return lines ? line_floats(table, rows, weight_.n(), k, request.threads) : 0;
  }

  Epilogue epilogue_;
  PackedMatrix weight_;
  std::int64_t scratch_;
};

}  // namespace

std::unique_ptr<Kernel> make_linear(const KernelTable& table, const Linear& layer, const NodeRequest& request,
                                    Weights weights) {
  return std::make_unique<LinearKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
