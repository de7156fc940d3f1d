// The tile of the matrix product, for whichever instruction set Highway compiles this. Included by kernels.cpp.
#include <hwy/cache_control.h>

#include <limits>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kAhead = 1024;  // floats: a page, where the hardware's own prefetching ends

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Floats()));

// A vector of which only `count` values are there: the others are zero, and their memory is not touched.
HWY_INLINE Vector load(const float* from, std::int64_t count) {
  const Floats d;
  if (count == kLanes) return hn::LoadU(d, from);
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, from);
#else
  HWY_ALIGN float values[kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) values[i] = from[i];
  return hn::Load(d, values);
#endif
}
HWY_INLINE void store(Vector value, float* to, std::int64_t count) {
  const Floats d;
  if (count == kLanes) return hn::StoreU(value, d, to);
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(value, hn::FirstN(d, static_cast<std::size_t>(count)), d, to);
#else
  HWY_ALIGN float values[kLanes];
  hn::Store(value, d, values);
  for (std::int64_t i = 0; i < count; ++i) to[i] = values[i];
#endif
}

// Where vector v of row r of C or of the residual lies. Only tiles in lines write lines.
template <bool kLines>
HWY_INLINE std::int64_t tile_offset(const TileArguments& t, int r, int v) {
  if constexpr (!kLines) return r * t.stride + v * kLanes;
  return r * t.stride + v * kLanes / kLine * t.line + v * kLanes % kLine;
}

// Columns of C under vector v: those of the last one may be fewer.
template <int kVectors>
HWY_INLINE std::int64_t columns_of_vector(const TileArguments& t, int v) {
  return v + 1 < kVectors ? kLanes : t.columns - v * kLanes;
}

// Where another thread runs on the same core, each can begin half of the instructions that the core can, and a tile
// waits for that; and the units that multiply add addresses and jump as well. So its loop has as few instructions as
// can be beside the multiply-adds, and fetches ahead for a whole line of values of K, at so many places.
constexpr int kFetches = kLanes == 16 ? 4 : 2;

// Values of K in a row of instructions. Without an instruction for multiply-adds GCC puts those of one sum behind each
// other and the others into memory; and with a sanitizer's beside them they take minutes to compile.
constexpr int kUnrolled = HWY_TARGET <= HWY_AVX2 && !HWY_IS_ASAN && !HWY_IS_TSAN ? kLine : 1;

// Where there is nothing to fetch, what is at hand is fetched instead: an address that is not mapped costs a walk
// through the page tables each time.
HWY_INLINE Ahead begin_fetching(const Ahead& ahead, const float* at_hand) {
  return ahead.at != nullptr ? ahead : Ahead{reinterpret_cast<const std::byte*>(at_hand), 0};
}
HWY_INLINE void fetch(Ahead& ahead) {
  constexpr int kIntoL2 = 2, kCacheLine = 64;
  const std::int64_t step = kLine / kFetches * ahead.step;
#pragma GCC unroll 4
  for (int i = 0; i < kFetches; ++i) __builtin_prefetch(ahead.at + i * step, 0, kIntoL2);
  if (step > kCacheLine) {
#pragma GCC unroll 4
    for (int i = 0; i < kFetches; ++i) __builtin_prefetch(ahead.at + i * step + kCacheLine, 0, kIntoL2);
  }
  ahead.at += kFetches * step;
}

// What comes a page after a row of B, where no tile before has fetched it.
template <int kVectors>
HWY_INLINE void fetch_page_ahead(const float* b) {
#pragma GCC unroll 2
  for (int at = 0; at < kVectors * kLanes; at += kLine) hwy::Prefetch(b + at + kAhead);
}

// Loops over a tile's sums are unrolled by request, here and in the other tiles: before GCC 12 unrolls them by itself
// it has given the sums a place in memory, where they then begin and end, at the price of 100 cycles a tile.

// The sums that a tile begins with.
template <bool kLines, int kRows, int kVectors>
HWY_INLINE void begin_tile(const TileArguments& t, Vector (&sums)[kRows][kVectors]) {
  const Floats d;
  // What the end of a tile reads arrives while the sums are made.
#pragma GCC unroll 16
  for (int r = 0; r < kRows && t.residual != nullptr; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) hwy::Prefetch(t.residual + tile_offset<kLines>(t, r, v));
  }
  if (t.bias != nullptr) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const Vector bias = hn::LoadU(d, t.bias + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sums[r][v] = bias;
    }
  } else if (t.columns == kVectors * kLanes) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::LoadU(d, t.c + tile_offset<kLines>(t, r, v));
    }
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = load(t.c + tile_offset<kLines>(t, r, v), columns_of_vector<kVectors>(t, v));
      }
    }
  }
}

// Adds the residual, clamps, and stores.
template <bool kLines, int kRows, int kVectors>
HWY_INLINE void finish_tile(const TileArguments& t, const Vector (&sums)[kRows][kVectors]) {
  const Floats d;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Vector low = hn::Set(d, t.low), high = hn::Set(d, t.high);
  const bool whole = t.columns == kVectors * kLanes;
  if (whole && t.residual == nullptr && t.low == -kInfinity && t.high == kInfinity) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, t.c + tile_offset<kLines>(t, r, v));
    }
    return;
  }
  if (whole) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        Vector y = sums[r][v];
        if (t.residual != nullptr) y = hn::Add(y, hn::LoadU(d, t.residual + tile_offset<kLines>(t, r, v)));
        // The value last: Max and Min then hand a NaN on.
        hn::StoreU(hn::Min(high, hn::Max(low, y)), d, t.c + tile_offset<kLines>(t, r, v));
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t offset = tile_offset<kLines>(t, r, v), columns = columns_of_vector<kVectors>(t, v);
      Vector y = sums[r][v];
      if (t.residual != nullptr) y = hn::Add(y, load(t.residual + offset, columns));
      store(hn::Min(high, hn::Max(low, y)), t.c + offset, columns);
    }
  }
}

// sum + x * column. In an instruction of our choice where there is one: left to itself, GCC 12 gives sums other
// registers on the way and moves them back, an instruction in twelve.
HWY_INLINE void multiply_add(Vector x, Vector column, Vector& sum) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  auto raw = sum.raw;
  asm("vfmadd231ps %2, %1, %0" : "+v"(raw) : "v"(x.raw), "v"(column.raw));  // NOLINT(hicpp-no-assembler)
  sum.raw = raw;
#else
  sum = hn::MulAdd(x, column, sum);
#endif
}

// The same, with an x that the instruction reads itself where it can: an instruction less, a read more.
HWY_INLINE void multiply_add_read(const float& x, Vector column, Vector& sum) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  auto raw = sum.raw;
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(raw) : "v"(column.raw), "m"(x));  // NOLINT(hicpp-no-assembler)
  sum.raw = raw;
#else
  multiply_add(hn::Set(Floats(), x), column, sum);
#endif
}

// Adds a row's value of A times a row of B.
template <int kVectors>
HWY_INLINE void multiply_row(const float& a, const Vector (&columns)[kVectors], Vector (&sums)[kVectors]) {
  const Vector x = hn::Set(Floats(), a);
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) multiply_add(x, columns[v], sums[v]);
}
template <int kVectors>
HWY_INLINE void multiply_read_row(const float& a, const Vector (&columns)[kVectors], Vector (&sums)[kVectors]) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) multiply_add_read(a, columns[v], sums[v]);
}

// A row of B.
template <int kVectors>
HWY_INLINE void load_columns(const float* b, Vector (&columns)[kVectors]) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) columns[v] = hn::LoadU(Floats(), b + v * kLanes);
}

// One value of K of rows in lines times a row of B. With all rows' values read by the multiply-adds there would be more
// reads than some cores can do in that time: every second row's are.
template <int kRows, int kVectors>
HWY_INLINE void multiply_in_lines(const float* HWY_RESTRICT a, const Vector (&columns)[kVectors],
                                  Vector (&sums)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r += 2) {
    multiply_row(a[r * kLine], columns, sums[r]);
    if (r + 1 < kRows) multiply_read_row(a[(r + 1) * kLine], columns, sums[r + 1]);
  }
}

// One value of K of rows where they lie.
template <int kRows, int kVectors>
HWY_INLINE void multiply_in_place(const float* const (&row)[kRows], std::int64_t k, const float* HWY_RESTRICT b,
                                  Vector (&sums)[kRows][kVectors]) {
  Vector columns[kVectors];
  load_columns(b, columns);
  fetch_page_ahead<kVectors>(b);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) multiply_row(row[r][k], columns, sums[r]);
}

template <int kRows, int kVectors>
void tile(const TileArguments& t) {
  Vector sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) hwy::Prefetch(t.c + tile_offset<false>(t, r, v));
  }
  begin_tile<false>(t, sums);
  const float* HWY_RESTRICT b = t.b;
  const float* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const float* row[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    constexpr std::int64_t kStep = HWY_MIN(kUnrolled, 4);
    std::int64_t k = 0;
    for (; k + kStep <= t.k; k += kStep) {
#pragma GCC unroll kStep
      for (int i = 0; i < kStep; ++i, b += kVectors * kLanes) multiply_in_place(row, k + i, b, sums);
    }
    for (; k < t.k; ++k, b += kVectors * kLanes) multiply_in_place(row, k, b, sums);
  }
  finish_tile<false>(t, sums);
}

template <int kRows, int kVectors>
void line_tile(const TileArguments& t) {
  Vector sums[kRows][kVectors];
  begin_tile<true>(t, sums);
  const float* HWY_RESTRICT a = t.lines;
  const float* HWY_RESTRICT b = t.b;
  Vector columns[kVectors];
  Ahead ahead = begin_fetching(t.ahead, a);
  const std::int64_t whole = t.k / kLine * kLine;
  for (std::int64_t line = 0; line < whole; line += kLine, a += kRows * kLine) {
    fetch(ahead);
#pragma GCC unroll kUnrolled
    for (int k = 0; k < kLine; ++k, b += kVectors * kLanes) {
      load_columns(b, columns);
      multiply_in_lines(a + k, columns, sums);
    }
  }
  for (std::int64_t k = whole; k < t.k; ++k, ++a, b += kVectors * kLanes) {
    load_columns(b, columns);
    multiply_in_lines(a, columns, sums);
  }
  finish_tile<true>(t, sums);
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
template <int kVectors, int... kRow>
std::array<TileFunction, kMostRows> line_tiles_of_width(std::integer_sequence<int, kRow...>) {
  return {&line_tile<kRow + 1, kVectors>...};
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
