// Depthwise convolution, one row of outputs. Included by kernels.cpp for each instruction set, after codec-inl.h.
//
// kOutputs neighbouring outputs go together, a vector of channels wide. Each input column is loaded (and, from few
// bits, decoded) once for all outputs that look at it, and the weights of a kernel row stay in registers: 9 loads of
// x and 3 of the filter for 21 multiply-adds of a 3x3 kernel, where one output after another would take 42. Seven,
// because the maps of common networks are multiples of 7 wide, and 7 sums, 5 weights and a column fit 16 registers.
#include <utility>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

constexpr int kDepthwiseOutputs = 7;

// Adds column kColumn, counted from the first one of the outputs, to the outputs that look at it.
template <int kTaps, int kStride, int kColumn, int... kOutput>
HWY_INLINE void add_column(Vector value, const Vector* weights, Vector* sums,
                           std::integer_sequence<int, kOutput...> /*outputs*/) {
  const auto add = [&](auto output) HWY_ATTR {
    constexpr int kTap = kColumn - output.value * kStride;
    if constexpr (kTap >= 0 && kTap < kTaps) sums[output.value] = hn::MulAdd(value, weights[kTap], sums[output.value]);
  };
  (add(std::integral_constant<int, kOutput>()), ...);
}

template <DType kType, int kTaps, int kStride, int... kColumn>
HWY_INLINE void add_line(const DepthwiseArguments& t, const std::byte* line, const float* filter, std::int64_t first,
                         std::int64_t channel, std::int64_t length, Vector zero, Vector* sums,
                         std::integer_sequence<int, kColumn...> /*columns*/) {
  Vector weights[kTaps];
  for (int tap = 0; tap < kTaps; ++tap) weights[tap] = load(filter + tap * t.channels, length);
  const auto add = [&](auto column) HWY_ATTR {
    const std::int64_t x = first + column.value;
    if (x < 0 || x >= t.in_width) return;  // padding adds nothing
    const Vector value = decode_steps<kType>(at_value(line, kType, x * t.channels + channel), length, zero);
    add_column<kTaps, kStride, column.value>(value, weights, sums,
                                             std::make_integer_sequence<int, kDepthwiseOutputs>());
  };
  (add(std::integral_constant<int, kColumn>()), ...);
}

HWY_INLINE void finish_depthwise(const DepthwiseArguments& t, const Codec& out, Vector y, std::int64_t x,
                                 std::int64_t channel, std::int64_t length) {
  const std::int64_t at = x * t.channels + channel;
  if (t.residual != nullptr) y = hn::Add(y, load(t.residual + at, length));
  encode_any(clamp(y, t.low, t.high), at_value(t.y, t.y_type.dtype, at), t.y_type.dtype, length, out);
}

// Outputs [x, x + kDepthwiseOutputs), one vector of channels. The scale of quantised inputs is in the filter.
template <DType kType, int kTaps, int kStride>
HWY_INLINE void depthwise_outputs(const DepthwiseArguments& t, const Codec& out, Vector zero, std::int64_t x,
                                  std::int64_t channel, std::int64_t length) {
  Vector sums[kDepthwiseOutputs];
  const Vector bias = load(t.bias + channel, length);
  for (int i = 0; i < kDepthwiseOutputs; ++i) sums[i] = bias;
  constexpr int kColumns = (kDepthwiseOutputs - 1) * kStride + kTaps;  // of x that the outputs look at
  const float* filter = t.filter + channel;
  for (std::int64_t ky = 0; ky < t.kernel_height; ++ky, filter += kTaps * t.channels) {
    if (t.lines[ky] == nullptr) continue;
    add_line<kType, kTaps, kStride>(t, t.lines[ky], filter, x * kStride - t.pad, channel, length, zero, sums,
                                    std::make_integer_sequence<int, kColumns>());
  }
  for (int i = 0; i < kDepthwiseOutputs; ++i) finish_depthwise(t, out, sums[i], x + i, channel, length);
}

// One output, for any kernel.
template <DType kType>
HWY_INLINE void depthwise_output(const DepthwiseArguments& t, const Codec& out, Vector zero, std::int64_t x,
                                 std::int64_t channel, std::int64_t length) {
  Vector sum = load(t.bias + channel, length);
  const float* filter = t.filter + channel;
  for (std::int64_t ky = 0; ky < t.kernel_height; ++ky) {
    std::int64_t ix = x * t.stride - t.pad;
    for (std::int64_t kx = 0; kx < t.kernel_width; ++kx, ix += t.dilation, filter += t.channels) {
      if (t.lines[ky] == nullptr || ix < 0 || ix >= t.in_width) continue;
      const std::byte* from = at_value(t.lines[ky], kType, ix * t.channels + channel);
      sum = hn::MulAdd(decode_steps<kType>(from, length, zero), load(filter, length), sum);
    }
  }
  finish_depthwise(t, out, sum, x, channel, length);
}

// Channels go in the inner loop, so that memory is walked in the order in which it lies.
template <class Outputs>
HWY_INLINE void for_each_channel_vector(const DepthwiseArguments& t, const Outputs& outputs) {
  std::int64_t channel = t.channel;
  for (; channel + kLanes <= t.channel_end; channel += kLanes) outputs(channel, kLanes);
  if (channel < t.channel_end) outputs(channel, t.channel_end - channel);
}

template <DType kType, int kTaps, int kStride>
void depthwise_row(const DepthwiseArguments& t) {
  const Codec out(t.y_type);
  const Vector zero = constant(static_cast<float>(t.x_type.zero));
  // The last outputs of a row that is no multiple of kDepthwiseOutputs wide are made with some before them again.
  for (std::int64_t x = 0; x < t.width; x += kDepthwiseOutputs) {
    const std::int64_t at = x + kDepthwiseOutputs <= t.width ? x : t.width - kDepthwiseOutputs;
    for_each_channel_vector(t, [&](std::int64_t channel, std::int64_t length) HWY_ATTR {
      depthwise_outputs<kType, kTaps, kStride>(t, out, zero, at, channel, length);
    });
  }
}

template <DType kType>
void depthwise_row_of_any(const DepthwiseArguments& t) {
  const Codec out(t.y_type);
  const Vector zero = constant(static_cast<float>(t.x_type.zero));
  for (std::int64_t x = 0; x < t.width; ++x) {
    for_each_channel_vector(t, [&](std::int64_t channel, std::int64_t length)
                                   HWY_ATTR { depthwise_output<kType>(t, out, zero, x, channel, length); });
  }
}

static void depthwise(const DepthwiseArguments& t) {
  with_type(t.x_type.dtype, [&](auto known) HWY_ATTR {
    constexpr DType kType = known.value;
    const auto is = [&t](std::int64_t taps, std::int64_t stride) {
      return t.kernel_width == taps && t.stride == stride && t.dilation == 1 && t.width >= kDepthwiseOutputs;
    };
    if (is(3, 1)) return depthwise_row<kType, 3, 1>(t);
    if (is(3, 2)) return depthwise_row<kType, 3, 2>(t);
    if (is(5, 1)) return depthwise_row<kType, 5, 1>(t);
    if (is(5, 2)) return depthwise_row<kType, 5, 2>(t);
    depthwise_row_of_any<kType>(t);
  });
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
