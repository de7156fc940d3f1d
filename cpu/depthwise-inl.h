// Depthwise convolution, one row of outputs. Included by kernels.cpp for each instruction set, after codec-inl.h.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

// kOutputs neighbouring outputs, one vector of channels, so that a filter tap is loaded once for all of them. The scale
// of quantised inputs is in the filter.
template <DType kType, int kOutputs>
HWY_INLINE void depthwise_outputs(const DepthwiseArguments& t, const Codec& out, Vector zero, std::int64_t x,
                                  std::int64_t channel, std::int64_t length) {
  Vector sums[kOutputs];
  const Vector bias = load(t.bias + channel, length);
  for (int i = 0; i < kOutputs; ++i) sums[i] = bias;
  for (std::int64_t ky = 0; ky < t.kernel_height; ++ky) {
    if (t.lines[ky] == nullptr) continue;
    const std::byte* line = at_value(t.lines[ky], kType, x * t.x_step + channel);
    const float* filter = t.filter + ky * t.filter_step + channel;
    for (std::int64_t kx = 0; kx < t.kernel_width; ++kx, filter += t.channels) {
      const Vector weight = load(filter, length);
      for (int i = 0; i < kOutputs; ++i) {
        const Vector value = decode_steps<kType>(at_value(line, kType, kx * t.tap_step + i * t.x_step), length, zero);
        sums[i] = hn::MulAdd(value, weight, sums[i]);
      }
    }
  }
  for (int i = 0; i < kOutputs; ++i) {
    const std::int64_t at = (x + i) * t.channels + channel;
    Vector y = sums[i];
    if (t.residual != nullptr) y = hn::Add(y, load(t.residual + at, length));
    encode_any(clamp(y, t.low, t.high), at_value(t.y, t.y_type.dtype, at), t.y_type.dtype, length, out);
  }
}

// Channels go in the inner loop, so that memory is walked in the order in which it lies.
template <DType kType, int kOutputs>
HWY_INLINE void depthwise_columns(const DepthwiseArguments& t, const Codec& out, std::int64_t x) {
  const Vector zero = constant(static_cast<float>(t.x_type.zero));
  std::int64_t channel = 0;
  for (; channel + kLanes <= t.channels; channel += kLanes) {
    depthwise_outputs<kType, kOutputs>(t, out, zero, x, channel, kLanes);
  }
  if (channel < t.channels) depthwise_outputs<kType, kOutputs>(t, out, zero, x, channel, t.channels - channel);
}

// The outputs that are left over go together as well: one alone would wait for each of its sums.
template <DType kType, int kOutputs>
HWY_INLINE void depthwise_rest(const DepthwiseArguments& t, const Codec& out, std::int64_t x, std::int64_t outputs) {
  if constexpr (kOutputs > 0) {
    if (outputs == kOutputs) return depthwise_columns<kType, kOutputs>(t, out, x);
    depthwise_rest<kType, kOutputs - 1>(t, out, x, outputs);
  }
}

static void depthwise(const DepthwiseArguments& t) {
  constexpr int kOutputs = HWY_TARGET <= HWY_AVX3 ? 8 : 6;
  const Codec out(t.y_type);
  with_type(t.x_type.dtype, [&](auto known) HWY_ATTR {
    std::int64_t x = 0;
    for (; x + kOutputs <= t.width; x += kOutputs) depthwise_columns<known.value, kOutputs>(t, out, x);
    depthwise_rest<known.value, kOutputs - 1>(t, out, x, t.width - x);
  });
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
