// Depthwise convolution, one row of outputs. Included by kernels.cpp for each instruction set, after vector-inl.h.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

// kOutputs neighbouring outputs, one vector of channels, so that a filter tap is loaded once for all of them.
template <int kOutputs>
HWY_INLINE void depthwise_outputs(const DepthwiseArguments& t, std::int64_t x, std::int64_t channel,
                                  std::int64_t length) {
  Vector sums[kOutputs];
  const Vector bias = load(t.bias + channel, length);
  for (int i = 0; i < kOutputs; ++i) sums[i] = bias;
  for (std::int64_t ky = 0; ky < t.kernel_height; ++ky) {
    if (t.lines[ky] == nullptr) continue;
    const float* line = t.lines[ky] + x * t.x_step + channel;
    const float* filter = t.filter + ky * t.filter_step + channel;
    for (std::int64_t kx = 0; kx < t.kernel_width; ++kx, line += t.tap_step, filter += t.channels) {
      const Vector weight = load(filter, length);
      for (int i = 0; i < kOutputs; ++i) sums[i] = hn::MulAdd(load(line + i * t.x_step, length), weight, sums[i]);
    }
  }
  for (int i = 0; i < kOutputs; ++i) {
    const std::int64_t at = (x + i) * t.channels + channel;
    Vector y = sums[i];
    if (t.residual != nullptr) y = hn::Add(y, load(t.residual + at, length));
    store(clamp(y, t.low, t.high), t.y + at, length);
  }
}

// Channels go in the inner loop, so that memory is walked in the order in which it lies.
template <int kOutputs>
HWY_INLINE void depthwise_columns(const DepthwiseArguments& t, std::int64_t x) {
  std::int64_t channel = 0;
  for (; channel + kLanes <= t.channels; channel += kLanes) depthwise_outputs<kOutputs>(t, x, channel, kLanes);
  if (channel < t.channels) depthwise_outputs<kOutputs>(t, x, channel, t.channels - channel);
}

// The outputs that are left over go together as well: one alone would wait for each of its sums.
HWY_INLINE void depthwise_rest(const DepthwiseArguments& t, std::int64_t x, std::int64_t outputs) {
  switch (outputs) {
    case 1:
      return depthwise_columns<1>(t, x);
    case 2:
      return depthwise_columns<2>(t, x);
    case 3:
      return depthwise_columns<3>(t, x);
    case 4:
      return depthwise_columns<4>(t, x);
    case 5:
      return depthwise_columns<5>(t, x);
    case 6:
      return depthwise_columns<6>(t, x);
    case 7:
      return depthwise_columns<7>(t, x);
    default:
      return;
  }
}

static void depthwise(const DepthwiseArguments& t) {
  constexpr int kOutputs = HWY_TARGET <= HWY_AVX3 ? 8 : 6;
  std::int64_t x = 0;
  for (; x + kOutputs <= t.width; x += kOutputs) depthwise_columns<kOutputs>(t, x);
  depthwise_rest(t, x, t.width - x);
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
