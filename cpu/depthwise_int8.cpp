// Depthwise convolution of uint8 by int8 with int32 sums (depthwise_int8-inl.h). As in low_gemm.h, the input's zero
// times the sum of a channel's weights is part of what is added to the channel: padding is a pixel of zeros like
// others.
#include <algorithm>
#include <array>
#include <cmath>

#include "cpu/depthwise_lines.h"
#include "cpu/gemm.h"
#include "cpu/implementations.h"
#include "cpu/low_gemm.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kQuad = 4;     // kernel rows that are multiplied together
constexpr std::int64_t kNarrow = 16;  // channels of the narrowest block

class DepthwiseInt8Kernel final : public TableKernel {
 public:
  DepthwiseInt8Kernel(const KernelTable& table, const Conv2d& layer, const NodeRequest& request, const Weights& weights)
      : TableKernel(table, "depthwise", table.int8.name),
        layer_(layer),
        pad_(layer.leading_padding(request.in[0])),
        epilogue_(make_epilogue(layer.activation)),
        channels_(request.in[0][3]),
        groups_(ceil_div(layer.kernel.height, kQuad)),
        steps_(request.out_type.dtype == DType::kU8 && !layer.residual),
        padding_(padding_pixel(request.in_types[0], channels_ * request.in[0][2])),
        filter_(static_cast<std::size_t>(padded_channels() * weights_of_channel())),
        factor_(Tensor::zeros({padded_channels()})),
        offset_(Tensor::zeros({padded_channels()})) {
    const ValueType& out = request.out_type;
    if (steps_) {
      const auto zero = static_cast<float>(out.zero);
      epilogue_.low = std::max(0.0F, epilogue_.low / out.scale + zero);
      epilogue_.high = std::min(255.0F, epilogue_.high / out.scale + zero);
    }
    for_each_block([&](std::int64_t first, std::int64_t width) {
      const std::int64_t end = std::min(channels_, first + width);
      for (std::int64_t channel = first; channel < end; ++channel) {
        set_channel(request, weights, channel, {first, width});
      }
    });
  }

  std::size_t weight_bytes() const noexcept override {
    return filter_.size() + factor_.values().size_bytes() + offset_.values().size_bytes();
  }

  void run(const KernelArguments& arguments) const override {
    for_each_depthwise_line(arguments.inputs[0].shape(), arguments.output.shape(), widest(), arguments.threads,
                            [&](const DepthwiseLine& line) { run_row(arguments, line); });
  }

 private:
  struct Block {
    std::int64_t first, width;
  };
  std::int64_t widest() const { return kQuad * table_.lanes; }
  std::int64_t padded_channels() const { return ceil_div(channels_, kNarrow) * kNarrow; }
  std::int64_t weights_of_channel() const { return groups_ * kQuad * layer_.kernel.width; }

  // The blocks of channels that the kernel goes by: as wide as a vector has bytes, then half as wide; the last may be
  // part-filled.
  template <class Body>
  void for_each_block(const Body& body) const {
    std::int64_t channel = 0;
    for (std::int64_t width = widest(); width >= kNarrow; width /= 2) {
      for (; channel + width <= channels_; channel += width) body(channel, width);
    }
    if (channel < channels_) body(channel, kNarrow);
  }

  void set_channel(const NodeRequest& request, const Weights& weights, std::int64_t channel, const Block& block) {
    const auto taps = static_cast<std::size_t>(layer_.kernel.height * layer_.kernel.width);
    std::vector<float> column(taps);
    std::vector<std::int8_t> integers(taps);
    for (std::size_t tap = 0; tap < taps; ++tap) {
      column[tap] = weights[0].data()[static_cast<std::int64_t>(tap) * channels_ + channel];
    }
    const Int8Column quantised = quantise_column(column, integers.data());
    // Channel c of a block lies in vector c % 16 / 4.
    const std::int64_t c = channel - block.first, vector = c % kNarrow / kQuad;
    const std::int64_t lane = c / kNarrow * kQuad + c % kQuad;
    std::int8_t* to = filter_.data() + block.first * weights_of_channel() + vector * block.width + lane * kQuad;
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
      for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx) {
        const std::int64_t group = ky / kQuad * layer_.kernel.width + kx;
        to[group * kQuad * block.width + ky % kQuad] =
            integers[static_cast<std::size_t>(ky * layer_.kernel.width + kx)];
      }
    }
    const ValueType &x = request.in_types[0], &y = request.out_type;
    const float factor = x.scale * quantised.scale, bias = layer_.bias ? weights[1].data()[channel] : 0.0F;
    const float offset = bias - factor * static_cast<float>(x.zero * quantised.sum);
    const std::int64_t at = block.first + vector * block.width / kQuad + lane;
    factor_.data()[at] = steps_ ? factor / y.scale : factor;
    offset_.data()[at] = steps_ ? offset / y.scale + static_cast<float>(y.zero) : offset;
  }

  void run_row(const KernelArguments& arguments, const DepthwiseLine& line) const {
    const ConstValueView& x = arguments.inputs[0];
    const Shape& in = x.shape();
    // Lines outside are padding, and so is what fills up four: its weights are zero.
    std::array<const std::byte*, kMostTaps + kQuad> lines{};
    for (std::int64_t ky = 0; ky < groups_ * kQuad; ++ky) {
      const std::int64_t iy = line.oy * layer_.stride.height - pad_.height + ky * layer_.dilation.height;
      const bool inside = ky < layer_.kernel.height && iy >= 0 && iy < in[1];
      lines[static_cast<std::size_t>(ky)] = inside ? x.at(line.picture + iy * in[2] * in[3]) : padding_.data();
    }
    table_.depthwise_int8({.lines = lines.data(),
                           .padding = padding_.data(),
                           .filter = filter_.data(),
                           .factor = factor_.data(),
                           .offset = offset_.data(),
                           .residual = layer_.residual ? arguments.inputs[1].f32().data() + line.at : nullptr,
                           .y = arguments.output.at(line.at),
                           .y_type = arguments.output.type(),
                           .groups = groups_,
                           .kernel_width = layer_.kernel.width,
                           .stride = layer_.stride.width,
                           .dilation = layer_.dilation.width,
                           .pad = pad_.width,
                           .in_width = in[2],
                           .width = arguments.output.shape()[2],
                           .channels = channels_,
                           .channel = line.channel,
                           .channel_end = line.channel_end,
                           .low = epilogue_.low,
                           .high = epilogue_.high});
    if (epilogue_.after != ActivationKind::kNone) {
      table_.activate(epilogue_.after, arguments.output.f32().data() + line.at + line.channel,
                      arguments.output.shape()[2], line.channel_end - line.channel, channels_);
    }
  }

  Conv2d layer_;
  Size2 pad_;
  Epilogue epilogue_;  // in steps of the output where steps_ is set
  std::int64_t channels_, groups_;
  bool steps_;                       // the output is uint8 and comes of the sums alone
  std::vector<std::byte> padding_;   // a line of it
  std::vector<std::int8_t> filter_;  // by block: [groups][KW][4 vectors][channels of a vector][4]
  Tensor factor_, offset_;           // by channel, in the order of the sums
};

}  // namespace

std::unique_ptr<Kernel> make_depthwise_int8(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                            const Weights& weights) {
  return std::make_unique<DepthwiseInt8Kernel>(table, layer, request, weights);
}

}  // namespace tessera::cpu
