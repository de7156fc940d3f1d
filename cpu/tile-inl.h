// The tile of the matrix product, for whichever instruction set Highway compiles this. Included by kernels.cpp.
#include <hwy/cache_control.h>

#include <cstring>
#include <limits>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kAhead = 1024;  // floats: a page, where the hardware's own prefetching ends

template <int kRows, int kVectors>
void tile(const TileArguments& t) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(d));
  V sums[kRows][kVectors];
  const bool whole = t.columns == kVectors * kLanes;
  // What the end of this function touches arrives while the sums are made.
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hwy::Prefetch(t.c + r * t.stride + v * kLanes);
    if (t.residual == nullptr) continue;
    for (int v = 0; v < kVectors; ++v) hwy::Prefetch(t.residual + r * t.stride + v * kLanes);
  }
  if (t.bias != nullptr) {
    for (int v = 0; v < kVectors; ++v) {
      const V bias = hn::LoadU(d, t.bias + v * kLanes);
      for (int r = 0; r < kRows; ++r) sums[r][v] = bias;
    }
  } else if (whole) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::LoadU(d, t.c + r * t.stride + v * kLanes);
    }
  } else {
    for (int r = 0; r < kRows; ++r) {
      HWY_ALIGN float values[kVectors * kLanes] = {};
      std::memcpy(values, t.c + r * t.stride, static_cast<std::size_t>(t.columns) * sizeof(float));
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Load(d, values + v * kLanes);
    }
  }
  const float* HWY_RESTRICT b = t.b;
  const float* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const float* HWY_RESTRICT row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (std::int64_t k = 0; k < t.k; ++k, b += kVectors * kLanes) {
      V columns[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = hn::LoadU(d, b + v * kLanes);
        hwy::Prefetch(b + v * kLanes + kAhead);
      }
      for (int r = 0; r < kRows; ++r) {
        const V x = hn::Set(d, row[r][k]);
        for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(x, columns[v], sums[r][v]);
      }
    }
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const V low = hn::Set(d, t.low), high = hn::Set(d, t.high);
  if (whole && t.residual == nullptr && t.low == -kInfinity && t.high == kInfinity) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, t.c + r * t.stride + v * kLanes);
    }
    return;
  }
  if (whole) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        V y = sums[r][v];
        if (t.residual != nullptr) y = hn::Add(y, hn::LoadU(d, t.residual + r * t.stride + v * kLanes));
        // The value last: Max and Min then hand a NaN on.
        hn::StoreU(hn::Min(high, hn::Max(low, y)), d, t.c + r * t.stride + v * kLanes);
      }
    }
    return;
  }
  for (int r = 0; r < kRows; ++r) {
    HWY_ALIGN float values[kVectors * kLanes] = {};
    if (t.residual != nullptr) {
      std::memcpy(values, t.residual + r * t.stride, static_cast<std::size_t>(t.columns) * sizeof(float));
    }
    for (int v = 0; v < kVectors; ++v) {
      V y = sums[r][v];
      if (t.residual != nullptr) y = hn::Add(y, hn::Load(d, values + v * kLanes));
      hn::Store(hn::Min(high, hn::Max(low, y)), d, values + v * kLanes);
    }
    std::memcpy(t.c + r * t.stride, values, static_cast<std::size_t>(t.columns) * sizeof(float));
  }
}

#if HWY_TARGET <= HWY_AVX3
inline constexpr int kTileRows = 14;  // 28 sums, 2 columns, 1 value of A in 32 registers
#else
inline constexpr int kTileRows = 6;  // 12 sums, 2 columns, 1 value of A in 16 registers
#endif

template <int kVectors, int... kRow>
std::array<TileFunction, kMostRows> tiles_of_width(std::integer_sequence<int, kRow...>) {
  return {&tile<kRow + 1, kVectors>...};
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
