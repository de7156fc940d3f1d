// Highway 1.0.3 knows neither instruction, so these two are written with intrinsics.
#include "cpu/dot_avx512.h"

#include <cstring>
#include <utility>

#if defined(__x86_64__)
// GCC 12 takes what its own intrinsics leave undefined on purpose for a fault (its bug 105593).
#pragma GCC diagnostic push
#if !defined(__clang__)  // which has no such warning
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace tessera::cpu {

namespace {

constexpr std::int64_t kBytes = 64;    // of a vector
constexpr std::int64_t kAhead = 4096;  // a page, where the hardware's own prefetching ends
constexpr std::int64_t kLanes = 16;    // values of four bytes in a vector
constexpr int kTileRows = 14;          // 28 sums, 2 columns, 1 value of A in 32 registers

std::int32_t load_group(const std::byte* from) {
  std::int32_t group;
  std::memcpy(&group, from, sizeof(group));
  return group;
}

// 16 bytes as floats.
__attribute__((target("avx512f"))) inline __m512 load_bytes(const std::byte* from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

// The same operations as finish() in low-inl.h has them.
template <bool kAdds, int kRows, int kVectors>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"), always_inline)) inline void store_bytes(
    const TileFinish& t, const __m512i (&sums)[kRows][kVectors]) {
  const __m512 low = _mm512_set1_ps(t.low), high = _mm512_set1_ps(t.high), out = _mm512_set1_ps(t.out);
  const __m512 by = _mm512_set1_ps(t.residual_factor), zero = _mm512_set1_ps(t.residual_zero);
  std::byte* const y = t.y;
  const std::byte* const residual = t.residual;
  const std::int64_t step = t.step;
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(t.factor + v * kLanes), out);
    const __m512 offset = _mm512_fmadd_ps(_mm512_loadu_ps(t.offset + v * kLanes), out, _mm512_set1_ps(t.zero));
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t at = r * step + v * kLanes;
      __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][v]), factor, offset);
      if constexpr (kAdds) value = _mm512_fmadd_ps(_mm512_sub_ps(load_bytes(residual + at), zero), by, value);
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_min_ps(high, _mm512_max_ps(low, value)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(y + at), _mm512_cvtepi32_epi8(rounded));
    }
  }
}

template <int kRows, int kVectors>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void tile_vnni(const LowTileArguments& t) {
  __m512i sums[kRows][kVectors];
#pragma GCC unroll 16
  for (auto& row : sums) {
    for (__m512i& sum : row) sum = _mm512_setzero_si512();
  }
  const std::byte* b = t.b;
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const std::byte* row[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (std::int64_t at = 0; at < 4 * t.groups; at += 4, b += kVectors * kBytes) {
      __m512i columns[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = _mm512_loadu_si512(b + v * kBytes);
        _mm_prefetch(reinterpret_cast<const char*>(b + v * kBytes + kAhead), _MM_HINT_T0);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(load_group(row[r] + at));
        for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], x, columns[v]);
      }
    }
  }
  if (t.finish != nullptr && t.finish->residual != nullptr) return store_bytes<true>(*t.finish, sums);
  if (t.finish != nullptr) return store_bytes<false>(*t.finish, sums);
  auto* to = static_cast<std::byte*>(t.sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_si512(to + (r * kMostVectors + v) * kBytes, sums[r][v]);
  }
}

// 16 bfloat16 as floats.
__attribute__((target("avx512f"))) inline __m512 load_halves(const std::byte* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

template <bool kAdds, int kRows, int kVectors>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"), always_inline)) inline void store_halves(
    const TileFinish& t, const __m512 (&sums)[kRows][kVectors]) {
  constexpr std::int64_t kHalf = 2;  // bytes
  const __m512 low = _mm512_set1_ps(t.low), high = _mm512_set1_ps(t.high);
  std::byte* const y = t.y;
  const std::byte* const residual = t.residual;
  const std::int64_t step = t.step;
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const __m512 offset = _mm512_loadu_ps(t.offset + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t at = (r * step + v * kLanes) * kHalf;
      __m512 value = _mm512_add_ps(sums[r][v], offset);
      if constexpr (kAdds) value = _mm512_add_ps(value, load_halves(residual + at));
      // The value last: min and max then hand a NaN on.
      const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_min_ps(high, _mm512_max_ps(low, value)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + at), reinterpret_cast<__m256i>(rounded));
    }
  }
}

template <int kRows, int kVectors>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) void tile_bf16(const LowTileArguments& t) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 16
  for (auto& row : sums) {
    for (__m512& sum : row) sum = _mm512_setzero_ps();
  }
  const std::byte* b = t.b;
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const std::byte* row[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (std::int64_t at = 0; at < 4 * t.groups; at += 4, b += kVectors * kBytes) {
      __m512bh columns[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + v * kBytes));
        _mm_prefetch(reinterpret_cast<const char*>(b + v * kBytes + kAhead), _MM_HINT_T0);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(load_group(row[r] + at)));
        for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, columns[v]);
      }
    }
  }
  if (t.finish != nullptr && t.finish->residual != nullptr) return store_halves<true>(*t.finish, sums);
  if (t.finish != nullptr) return store_halves<false>(*t.finish, sums);
  auto* to = static_cast<std::byte*>(t.sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(to + (r * kMostVectors + v) * kBytes, sums[r][v]);
  }
}

template <int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> vnni_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_vnni<kRow + 1, kVectors>...};
}
template <int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> bf16_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_bf16<kRow + 1, kVectors>...};
}

}  // namespace

void add_dot_products(const KernelTable& avx512, std::vector<KernelTable>& tables) {
  if (!__builtin_cpu_supports("avx512vnni")) return;
  const auto rows = std::make_integer_sequence<int, kTileRows>();
  KernelTable vnni = avx512;
  vnni.isa = "avx512_vnni";
  vnni.int8 = {.name = "int8_avx512_vnni",
               .group = 4,
               .row_bytes = 1,
               .direct = true,
               .finishes = true,
               .tile = {vnni_tiles<1>(rows), vnni_tiles<2>(rows)}};
  vnni.depthwise_int8 = avx512.depthwise_vnni;
  tables.push_back(vnni);
  if (__builtin_cpu_supports("avx512bf16")) {
    KernelTable bf16 = vnni;
    bf16.isa = "avx512_bf16";
    bf16.bf16 = {.name = "bf16_avx512_bf16",
                 .group = 2,
                 .row_bytes = 2,
                 .direct = true,
                 .finishes = true,
                 .tile = {bf16_tiles<1>(rows), bf16_tiles<2>(rows)}};
    // Intel's cores take four times as long for one of its instructions as for a multiply-add of as many floats, so
    // that two of the latter are the faster way there.
    const bool pays = __builtin_cpu_is("amd") != 0;
    tables.insert(tables.end() - (pays ? 1 : 0), bf16);
    if (const AmxUnit* unit = amx_unit(); unit != nullptr) {
      KernelTable amx = tables.front();
      amx.isa = "amx";
      amx.amx = unit;
      if (unit->split != nullptr) amx.split = unit->split;
      tables.insert(tables.begin(), amx);
    }
  }
}

}  // namespace tessera::cpu

#else

namespace tessera::cpu {
void add_dot_products(const KernelTable&, std::vector<KernelTable>&) {}
}  // namespace tessera::cpu

#endif
