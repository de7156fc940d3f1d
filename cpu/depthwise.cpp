// Depthwise convolution: a row of outputs at a time, channels in vectors (depthwise-inl.h).
#include <algorithm>
#include <array>

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
    const Shape& in = arguments.inputs[0].shape();
    const Shape& out = arguments.output.shape();
    // Low maps are cut along the channels too: of 7 rows two threads would do 4 and 3.
    constexpr std::int64_t kManyRows = 28;
    const std::int64_t parts = out[1] < kManyRows ? 2 : 1;
    arguments.threads.for_each(out[0] * out[1] * parts, [&](std::int64_t task, int) {
      const std::int64_t row = task / parts, part = task % parts;
      const std::int64_t at = row * out[2] * out[3];
      const float* residual = layer_.residual ? arguments.inputs[1].f32().data() + at : nullptr;
      run_row({.x = arguments.inputs[0],
               .first = row / out[1] * in[1] * in[2] * in[3],
               .oy = row % out[1],
               .channel = channel_at(part, parts),
               .channel_end = channel_at(part + 1, parts),
               .residual = residual,
               .y = arguments.output.at(at),
               .y_type = arguments.output.type(),
               .width = out[2]});
    });
  }

 private:
  // Channels of a row of outputs.
  struct Line {
    const ConstValueView& x;
    std::int64_t first;  // value of x where its picture begins
    std::int64_t oy;
    std::int64_t channel, channel_end;
    const float* residual;
    std::byte* y;
    ValueType y_type;
    std::int64_t width;
  };

  // Where part `part` of the channels begins: at a whole vector.
  std::int64_t channel_at(std::int64_t part, std::int64_t parts) const {
    const std::int64_t channels = bias_.shape()[0];
    const std::int64_t vectors = ceil_div(channels, table_.lanes);
    return std::min(channels, part * vectors / parts * table_.lanes);
  }

  void run_row(const Line& line) const {
    const Shape& in = line.x.shape();
    std::array<const std::byte*, kMostTaps> lines{};
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
      const std::int64_t iy = line.oy * layer_.stride.height - pad_.height + ky * layer_.dilation.height;
      const bool inside = iy >= 0 && iy < in[1];
      lines[static_cast<std::size_t>(ky)] = inside ? line.x.at(line.first + iy * in[2] * in[3]) : nullptr;
    }
    table_.depthwise({.lines = lines.data(),
                      .x_type = line.x.type(),
                      .filter = filter_.data(),
                      .bias = bias_.data(),
                      .residual = line.residual,
                      .y = line.y,
                      .y_type = line.y_type,
                      .kernel_height = layer_.kernel.height,
                      .kernel_width = layer_.kernel.width,
                      .stride = layer_.stride.width,
                      .dilation = layer_.dilation.width,
                      .pad = pad_.width,
                      .in_width = in[2],
                      .width = line.width,
                      .channels = in[3],
                      .channel = line.channel,
                      .channel_end = line.channel_end,
                      .low = epilogue_.low,
                      .high = epilogue_.high});
    if (epilogue_.after != ActivationKind::kNone) {
      table_.activate(epilogue_.after, reinterpret_cast<float*>(line.y) + line.channel, line.width,
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
