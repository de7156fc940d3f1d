// Strassen's products (cpu/strassen.cpp): sums of quarters of A and B, a tile of one product, and what is done with the
// finished quarters of C. Included by kernels.cpp for each instruction set, after tile-inl.h and
// vector-inl.h.
#include <utility>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

// One vector of each of the seven rows, from the two halves of two rows.
HWY_INLINE void strassen_sums(Vector a11, Vector a12, Vector a21, Vector a22, float* to, std::int64_t step) {
  const Vector sums[kStrassenProducts] = {hn::Add(a11, a22), hn::Add(a21, a22), a11, a22, hn::Add(a11, a12),
                                          hn::Sub(a21, a11), hn::Sub(a12, a22)};
  for (int i = 0; i < kStrassenProducts; ++i) hn::StoreU(sums[i], Floats(), to + i * step);
}

static void strassen_rows(const StrassenRows& t) {
  const Floats d;
  for (std::int64_t at = 0; at < t.depth; at += kLanes) {
    const Vector a11 = hn::LoadU(d, t.top + at), a12 = hn::LoadU(d, t.top + t.half + at);
    const Vector a21 = t.bottom == nullptr ? hn::Zero(d) : hn::LoadU(d, t.bottom + at);
    const Vector a22 = t.bottom == nullptr ? hn::Zero(d) : hn::LoadU(d, t.bottom + t.half + at);
    float* to = t.to + at / kLine * t.rows * kLine + at % kLine;
    strassen_sums(a11, a12, a21, a22, to, t.step);
  }
}

template <StrassenUpdate kUpdate, int kRows>
HWY_INLINE void update_target(float* c, const Vector (&sums)[kRows][kMostVectors]) {
  const Floats d;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kMostVectors; ++v, c += kLanes) {
      if constexpr (kUpdate == StrassenUpdate::kSet) hn::StoreU(sums[r][v], d, c);
      if constexpr (kUpdate == StrassenUpdate::kAdd) hn::StoreU(hn::Add(hn::LoadU(d, c), sums[r][v]), d, c);
      if constexpr (kUpdate == StrassenUpdate::kSubtract) hn::StoreU(hn::Sub(hn::LoadU(d, c), sums[r][v]), d, c);
    }
  }
}

// A row of B, from value `at` on; the first tile of rows makes the sum of two quarters on its way and keeps it for the
// others.
template <StrassenTerms kTerms>
HWY_INLINE void strassen_columns(const StrassenTile& t, std::int64_t at, Vector (&columns)[kMostVectors]) {
  load_columns(t.b + at, columns);
  if constexpr (kTerms == StrassenTerms::kOne) return;
  fetch_page_ahead<kMostVectors>(t.b + at);
  fetch_page_ahead<kMostVectors>(t.second + at);
  Vector second[kMostVectors];
  load_columns(t.second + at, second);
#pragma GCC unroll 2
  for (int v = 0; v < kMostVectors; ++v) {
    columns[v] = kTerms == StrassenTerms::kSum ? hn::Add(columns[v], second[v]) : hn::Sub(columns[v], second[v]);
    hn::StoreU(columns[v], Floats(), t.sum + at + v * kLanes);
  }
}

template <int kRows, StrassenTerms kTerms>
void strassen_tile(const StrassenTile& t) {
  const Floats d;
  Vector sums[kRows][kMostVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kMostVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  const float* HWY_RESTRICT a = t.a;
  std::int64_t b = 0;
  Ahead ahead = begin_fetching(t.ahead, a);
  for (std::int64_t line = 0; line < t.k; line += kLine, a += kRows * kLine) {
    fetch(ahead);
#pragma GCC unroll kUnrolled
    for (int k = 0; k < kLine; ++k, b += kMostVectors * kLanes) {
      Vector columns[kMostVectors];
      strassen_columns<kTerms>(t, b, columns);
      multiply_in_lines(a + k, columns, sums);
    }
  }
  for (const StrassenTarget& target : t.targets) {
    if (target.c == nullptr) continue;
    switch (target.update) {
      case StrassenUpdate::kSet:
        update_target<StrassenUpdate::kSet, kRows>(target.c, sums);
        break;
      case StrassenUpdate::kAdd:
        update_target<StrassenUpdate::kAdd, kRows>(target.c, sums);
        break;
      case StrassenUpdate::kSubtract:
        update_target<StrassenUpdate::kSubtract, kRows>(target.c, sums);
        break;
    }
  }
}

template <class Function>
HWY_INLINE void finish_strassen_rows(const Function& activation, const StrassenFinish& t) {
  const Floats d;
  constexpr std::int64_t kStep = kMostVectors * kLanes;
  const Vector low = constant(t.low), high = constant(t.high);
  for (int v = 0; v < kMostVectors; ++v) {
    const Vector bias = t.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, t.bias + v * kLanes);
    for (std::int64_t r = 0; r < t.rows; ++r) {
      float* to = t.y + r * t.stride + v * kLanes;
      Vector y = hn::Add(hn::LoadU(d, t.sums + r * kStep + v * kLanes), t.bias == nullptr ? hn::LoadU(d, to) : bias);
      if (t.residual != nullptr) y = hn::Add(y, hn::LoadU(d, t.residual + r * t.stride + v * kLanes));
      // The value last: Max and Min then hand a NaN on.
      hn::StoreU(activation(hn::Min(high, hn::Max(low, y))), d, to);
    }
  }
}

static void strassen_finish(const StrassenFinish& t) {
  with_activation(t.after, [&](auto activation) HWY_ATTR { finish_strassen_rows(activation, t); });
}

template <StrassenTerms kTerms, int... kRow>
std::array<StrassenTileFunction, kMostRows> strassen_tiles(std::integer_sequence<int, kRow...> /*rows*/) {
  return {&strassen_tile<kRow + 1, kTerms>...};
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
