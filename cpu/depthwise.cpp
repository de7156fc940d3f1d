// Depthwise convolution: a row of outputs at a time, channels in vectors (depthwise-inl.h).
#include <algorithm>
#include <array>

#include "cpu/depthwise_lines.h"
#include "cpu/gemm.h"
#include "cpu/implementations.h"
#include "cpu/low_gemm.h"

namespace tessera::cpu {

namespace {

class DepthwiseKernel final : public TableKernel {
 public:
  DepthwiseKernel(const KernelTable& table, const Conv2d& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "depthwise"),
        layer_(layer),
        pad_(layer.leading_padding(request.in[0])),
        epilogue_(make_epilogue(layer.activation)),
        filter_(std::move(weights[0])),
        bias_(layer.bias ? std::move(weights[1]) : Tensor::zeros(Shape{request.in[0][3]})) {
    const ValueType& type = request.in_types[0];
    if (type.dtype != DType::kU8) return;
    for (float& value : filter_.values()) value *= type.scale;
  }

  std::size_t weight_bytes() const noexcept override {
    return filter_.values().size_bytes() + bias_.values().size_bytes();
  }

  void run(const KernelArguments& arguments) const override {
    for_each_depthwise_line(arguments.inputs[0].shape(), arguments.output.shape(), table_.lanes, arguments.threads,
                            [&](const DepthwiseLine& line) { run_row(arguments, line); });
  }

 private:
  void run_row(const KernelArguments& arguments, const DepthwiseLine& line) const {
    const ConstValueView& x = arguments.inputs[0];
    const Shape& in = x.shape();
    const std::int64_t width = arguments.output.shape()[2];
    std::byte* y = arguments.output.at(line.at);
    std::array<const std::byte*, kMostTaps> lines{};
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
      const std::int64_t iy = line.oy * layer_.stride.height - pad_.height + ky * layer_.dilation.height;
      const bool inside = iy >= 0 && iy < in[1];
      lines[static_cast<std::size_t>(ky)] = inside ? x.at(line.picture + iy * in[2] * in[3]) : nullptr;
    }
    table_.depthwise({.lines = lines.data(),
                      .x_type = x.type(),
                      .filter = filter_.data(),
                      .bias = bias_.data(),
                      .residual = layer_.residual ? arguments.inputs[1].f32().data() + line.at : nullptr,
                      .y = y,
                      .y_type = arguments.output.type(),
                      .kernel_height = layer_.kernel.height,
                      .kernel_width = layer_.kernel.width,
                      .stride = layer_.stride.width,
                      .dilation = layer_.dilation.width,
                      .pad = pad_.width,
                      .in_width = in[2],
                      .width = width,
                      .channels = in[3],
                      .channel = line.channel,
                      .channel_end = line.channel_end,
                      .low = epilogue_.low,
                      .high = epilogue_.high});
    if (epilogue_.after != ActivationKind::kNone) {
      table_.activate(epilogue_.after, reinterpret_cast<float*>(y) + line.channel, width,
                      line.channel_end - line.channel, in[3]);
    }
  }

  Conv2d layer_;
  Size2 pad_;
  Epilogue epilogue_;
  Tensor filter_;  // [KH, KW, C]
  Tensor bias_;
};

}  // namespace

bool can_depthwise(const Conv2d& layer, const Shape& in) {
  return layer.depthwise(in) && layer.kernel.height <= kMostTaps;
}

std::unique_ptr<Kernel> make_depthwise(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                       Weights weights) {
  if (request.in_types[0].dtype == DType::kU8 && fits_int8(layer.kernel.height * layer.kernel.width)) {
    return make_depthwise_int8(table, layer, request, weights);
  }
  return std::make_unique<DepthwiseKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
