// Winograd's F(4x4, 3x3): the two transforms of a tile of the picture. Included by kernels.cpp for each instruction
// set, after codec-inl.h. The points are 0, +-sqrt(1/2), +-sqrt(2), infinity: their powers stay near one, which keeps
// the rounding errors small, and products of two of them are whole or half numbers. The filter's transform
// (cpu/winograd.cpp) goes with these.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

constexpr float kRoot2 = 1.41421356F, kRootHalf = 0.70710678F;

// y = B^T x for one column or row of six; B^T is
//   1    0       -5/2   0       1  0
//   0  -sqrt2    -2   sqrt1/2   1  0
//   0   sqrt2    -2  -sqrt1/2   1  0
//   0 -sqrt1/2  -1/2  sqrt2     1  0
//   0  sqrt1/2  -1/2 -sqrt2     1  0
//   0    1        0   -5/2      0  1
HWY_INLINE void to_points(const Vector (&x)[kWinogradIn], Vector (&y)[kWinogradIn]) {
  const Vector even_small = hn::NegMulAdd(constant(2.0F), x[2], x[4]);
  const Vector odd_small = hn::NegMulAdd(constant(kRoot2), x[1], hn::Mul(constant(kRootHalf), x[3]));
  const Vector even_large = hn::NegMulAdd(constant(0.5F), x[2], x[4]);
  const Vector odd_large = hn::NegMulAdd(constant(kRootHalf), x[1], hn::Mul(constant(kRoot2), x[3]));
  y[0] = hn::NegMulAdd(constant(2.5F), x[2], hn::Add(x[0], x[4]));
  y[1] = hn::Add(even_small, odd_small);
  y[2] = hn::Sub(even_small, odd_small);
  y[3] = hn::Add(even_large, odd_large);
  y[4] = hn::Sub(even_large, odd_large);
  y[5] = hn::NegMulAdd(constant(2.5F), x[3], hn::Add(x[1], x[5]));
}

// y = A^T x, six to four; row i of A^T is the points to the power i, and infinity counts for the last.
HWY_INLINE void from_points(const Vector (&x)[kWinogradIn], Vector (&y)[kWinogradOut]) {
  const Vector sum_small = hn::Add(x[1], x[2]), difference_small = hn::Sub(x[1], x[2]);
  const Vector sum_large = hn::Add(x[3], x[4]), difference_large = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(x[0], hn::Add(sum_small, sum_large));
  y[1] = hn::MulAdd(constant(kRootHalf), difference_small, hn::Mul(constant(kRoot2), difference_large));
  y[2] = hn::MulAdd(constant(0.5F), sum_small, hn::Mul(constant(2.0F), sum_large));
  y[3] = hn::MulAdd(constant(0.5F * kRootHalf), difference_small,
                    hn::MulAdd(constant(2.0F * kRoot2), difference_large, x[5]));
}

template <DType kType>
HWY_INLINE void winograd_input_channels(const std::byte* const* pixels, const Codec& codec, std::int64_t channel,
                                        std::int64_t length, float* to, std::int64_t step) {
  Vector half[kWinogradIn][kWinogradIn];  // [point of y][x]
  for (int x = 0; x < kWinogradIn; ++x) {
    Vector column[kWinogradIn], points[kWinogradIn];
    for (int y = 0; y < kWinogradIn; ++y) {
      column[y] = decode_vector<kType>(at_value(pixels[y * kWinogradIn + x], kType, channel), length, codec);
    }
    to_points(column, points);
    for (int y = 0; y < kWinogradIn; ++y) half[y][x] = points[y];
  }
  for (int y = 0; y < kWinogradIn; ++y) {
    Vector points[kWinogradIn];
    to_points(half[y], points);
    for (int x = 0; x < kWinogradIn; ++x) store(points[x], to + (y * kWinogradIn + x) * step, length);
  }
}

static void winograd_input(const std::byte* const* pixels, const ValueType& type, std::int64_t channels, float* to,
                           std::int64_t line, std::int64_t step) {
  const Codec codec(type);
  const auto place = [&](std::int64_t channel) { return to + channel / kLine * line + channel % kLine; };
  with_type(type.dtype, [&](auto known) HWY_ATTR {
    std::int64_t channel = 0;
    for (; channel + kLanes <= channels; channel += kLanes) {
      winograd_input_channels<known.value>(pixels, codec, channel, kLanes, place(channel), step);
    }
    if (channel < channels) {
      winograd_input_channels<known.value>(pixels, codec, channel, channels - channel, place(channel), step);
    }
  });
}

HWY_INLINE void winograd_output_channels(const WinogradOutput& t, const Codec& residual, const Codec& out,
                                         std::int64_t channel, std::int64_t length) {
  Vector half[kWinogradOut][kWinogradIn];  // [row][point of x]
  for (int x = 0; x < kWinogradIn; ++x) {
    Vector column[kWinogradIn], rows[kWinogradOut];
    for (int y = 0; y < kWinogradIn; ++y) {
      column[y] = load(t.products + (y * kWinogradIn + x) * t.step + channel, length);
    }
    from_points(column, rows);
    for (int y = 0; y < kWinogradOut; ++y) half[y][x] = rows[y];
  }
  const Vector bias = load(t.bias + channel, length);
  for (int y = 0; y < kWinogradOut; ++y) {
    Vector pixels[kWinogradOut];
    from_points(half[y], pixels);
    for (int x = 0; x < kWinogradOut; ++x) {
      const std::int64_t offset = t.offsets[static_cast<std::size_t>(y) * kWinogradOut + static_cast<std::size_t>(x)];
      if (offset < 0) continue;
      Vector value = hn::Add(pixels[x], bias);
      if (t.residual != nullptr) {
        const DType from = t.residual_type.dtype;
        value = hn::Add(value, decode_any(at_value(t.residual, from, offset + channel), from, length, residual));
      }
      const DType to = t.y_type.dtype;
      encode_any(clamp(value, t.low, t.high), at_value(t.y, to, offset + channel), to, length, out);
    }
  }
}

static void winograd_output(const WinogradOutput& t) {
  const Codec residual(t.residual_type), out(t.y_type);
  std::int64_t channel = 0;
  for (; channel + kLanes <= t.channels; channel += kLanes) {
    winograd_output_channels(t, residual, out, channel, kLanes);
  }
  if (channel < t.channels) winograd_output_channels(t, residual, out, channel, t.channels - channel);
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
