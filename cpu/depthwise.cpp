// Depthwise convolution: a row of outputs at a time, channels in vectors.
#include <algorithm>
#include <array>

#include "cpu/gemm.h"
#include "cpu/implementations.h"

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
    arguments.threads.for_each(out[0] * out[1], [&](std::int64_t row, int) {
      const std::int64_t at = row * out[2] * out[3];
      const float* residual = layer_.residual ? arguments.inputs[1].f32().data() + at : nullptr;
      const Line line{.x = arguments.inputs[0],
                      .first = row / out[1] * in[1] * in[2] * in[3],
                      .oy = row % out[1],
                      .residual = residual,
                      .y = arguments.output.at(at),
                      .y_type = arguments.output.type()};
      run_row(line, out[2]);
    });
  }

 private:
  // Outputs [first, first + width) of row oy look at the kernel's columns [tap, tap + taps).
  struct Segment {
    std::int64_t first, width, tap, taps;
  };

  // A row of outputs.
  struct Line {
    const ConstValueView& x;
    std::int64_t first;  // value of x where its picture begins
    std::int64_t oy;
    const float* residual;
    std::byte* y;
    ValueType y_type;
  };

  void run_row(const Line& line, std::int64_t width) const {
    const Shape& in = line.x.shape();
    const auto run_segment = [&](const Segment& segment) {
      run_part(line, segment);
      if (epilogue_.after != ActivationKind::kNone) {
        float* y = reinterpret_cast<float*>(line.y) + segment.first * in[3];
        table_.activate(epilogue_.after, y, 1, segment.width * in[3], 0);
      }
    };
    // The outputs in the middle have all their columns inside the picture and go together; those at the edges one by
    // one.
    const auto [begin, end] = middle(in[2], width);
    for (std::int64_t ox = 0; ox < begin; ++ox) run_segment(edge(in[2], ox));
    if (begin < end) run_segment({begin, end - begin, 0, layer_.kernel.width});
    for (std::int64_t ox = end; ox < width; ++ox) run_segment(edge(in[2], ox));
  }

  std::pair<std::int64_t, std::int64_t> middle(std::int64_t in_width, std::int64_t width) const {
    const std::int64_t stride = layer_.stride.width;
    const std::int64_t reach = (layer_.kernel.width - 1) * layer_.dilation.width;
    const std::int64_t begin = std::min(width, (pad_.width + stride - 1) / stride);
    const std::int64_t room = in_width - 1 - reach + pad_.width;  // the last place of a first tap
    const std::int64_t end = room < 0 ? begin : std::clamp(room / stride + 1, begin, width);
    return {begin, end};
  }

  Segment edge(std::int64_t in_width, std::int64_t ox) const {
    const std::int64_t left = ox * layer_.stride.width - pad_.width;
    const auto inside = [&](std::int64_t tap) {
      const std::int64_t ix = left + tap * layer_.dilation.width;
      return ix >= 0 && ix < in_width;
    };
    std::int64_t tap = 0;
    while (tap < layer_.kernel.width && !inside(tap)) ++tap;
    std::int64_t taps = 0;
    while (tap + taps < layer_.kernel.width && inside(tap + taps)) ++taps;
    return {ox, 1, tap, taps};
  }

  void run_part(const Line& line, const Segment& segment) const {
    const Shape& in = line.x.shape();
    const std::int64_t channels = in[3];
    const std::int64_t x = segment.first * layer_.stride.width - pad_.width + segment.tap * layer_.dilation.width;
    std::array<const std::byte*, kMostTaps> lines{};
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
      const std::int64_t iy = line.oy * layer_.stride.height - pad_.height + ky * layer_.dilation.height;
      const bool inside = iy >= 0 && iy < in[1] && segment.taps > 0;
      const std::int64_t at = line.first + (iy * in[2] + x) * channels;
      lines[static_cast<std::size_t>(ky)] = inside ? line.x.at(at) : nullptr;
    }
    table_.depthwise({.lines = lines.data(),
                      .x_type = line.x.type(),
                      .filter = filter_.data() + segment.tap * channels,
                      .bias = bias_.data(),
                      .residual = line.residual == nullptr ? nullptr : line.residual + segment.first * channels,
                      .y = line.y + segment.first * channels * bytes_of(line.y_type.dtype),
                      .y_type = line.y_type,
                      .kernel_height = layer_.kernel.height,
                      .kernel_width = segment.taps,
                      .filter_step = layer_.kernel.width * channels,
                      .x_step = layer_.stride.width * channels,
                      .tap_step = layer_.dilation.width * channels,
                      .width = segment.width,
                      .channels = channels,
                      .low = epilogue_.low,
                      .high = epilogue_.high});
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
  return std::make_unique<DepthwiseKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
