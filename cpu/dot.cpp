// The tiles for AVX-512 are written with intrinsics, which have either instruction; Highway 1.0.3 has neither.
#include "cpu/dot.h"

#include <cpuid.h>

#include <utility>

#include "cpu/intrinsics.h"

#if defined(__x86_64__)

namespace tessera::cpu {

namespace {

constexpr std::int64_t kBytes = 64;    // of a vector
constexpr std::int64_t kAhead = 4096;  // a page, where the hardware's own prefetching ends
constexpr std::int64_t kLanes = 16;    // values of four bytes in a vector
constexpr int kTileRows = 14;          // 28 sums, 2 columns, 1 value of A in 32 registers

// Of either machine that has one of the two instructions: neither is used where it is not written.
#define TESSERA_DOT __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16"), always_inline))

// uint8 times int8, four values of K at a time, into int32. What becomes of a sum are the operations of finish() in
// low-inl.h.
struct Bytes {
  using Sum = __m512i;
  static constexpr std::int64_t kSize = 1;
  struct Column {
    __m512 factor, offset, residual_factor, residual_zero;
  };

  TESSERA_DOT static Sum zero() { return _mm512_setzero_si512(); }
  TESSERA_DOT static Sum multiply(Sum sum, __m512i x, __m512i columns) { return _mm512_dpbusd_epi32(sum, x, columns); }
  TESSERA_DOT static void store(Sum sum, std::byte* to) { _mm512_storeu_si512(to, sum); }

  TESSERA_DOT static Column column(const TileFinish& t, std::int64_t at) {
    const __m512 out = _mm512_set1_ps(t.out);
    return {_mm512_mul_ps(_mm512_loadu_ps(t.factor + at), out),
            _mm512_fmadd_ps(_mm512_loadu_ps(t.offset + at), out, _mm512_set1_ps(t.zero)),
            _mm512_set1_ps(t.residual_factor), _mm512_set1_ps(t.residual_zero)};
  }
  TESSERA_DOT static __m512 value(Sum sum, const Column& column) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), column.factor, column.offset);
  }
  TESSERA_DOT static __m512 add(__m512 value, const std::byte* residual, const Column& column) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
    const __m512 steps = _mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), column.residual_zero);
    return _mm512_fmadd_ps(steps, column.residual_factor, value);
  }
  TESSERA_DOT static void put(__m512 value, std::byte* to) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value)));
  }
};

// bfloat16, two values of K at a time, into float32.
struct Halves {
  using Sum = __m512;
  static constexpr std::int64_t kSize = 2;
  struct Column {
    __m512 offset;
  };

  TESSERA_DOT static Sum zero() { return _mm512_setzero_ps(); }
  TESSERA_DOT static Sum multiply(Sum sum, __m512i x, __m512i columns) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(columns));
  }
  TESSERA_DOT static void store(Sum sum, std::byte* to) { _mm512_storeu_ps(to, sum); }

  TESSERA_DOT static Column column(const TileFinish& t, std::int64_t at) { return {_mm512_loadu_ps(t.offset + at)}; }
  TESSERA_DOT static __m512 value(Sum sum, const Column& column) { return _mm512_add_ps(sum, column.offset); }
  TESSERA_DOT static __m512 add(__m512 value, const std::byte* residual, const Column& /*column*/) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(residual));
    return _mm512_add_ps(value, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16)));
  }
  TESSERA_DOT static void put(__m512 value, std::byte* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
};

template <class Type, bool kAdds, int kRows, int kVectors>
TESSERA_DOT inline void finish_tile(const TileFinish& finish, const typename Type::Sum (&sums)[kRows][kVectors]) {
  const TileFinish t = finish;  // a copy, which no byte that is stored can change
  const __m512 low = _mm512_set1_ps(t.low), high = _mm512_set1_ps(t.high);
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const typename Type::Column column = Type::column(t, v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t at = (r * t.step + v * kLanes) * Type::kSize;
      __m512 value = Type::value(sums[r][v], column);
      if constexpr (kAdds) value = Type::add(value, t.residual + at, column);
      // The value last: min and max then hand a NaN on.
      Type::put(_mm512_min_ps(high, _mm512_max_ps(low, value)), t.y + at);
    }
  }
}

template <class Type, int kRows, int kVectors>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16"))) void tile(const LowTileArguments& t) {
  typename Type::Sum sums[kRows][kVectors];
#pragma GCC unroll 16
  for (auto& row : sums) {
    for (typename Type::Sum& sum : row) sum = Type::zero();
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
        for (int v = 0; v < kVectors; ++v) sums[r][v] = Type::multiply(sums[r][v], x, columns[v]);
      }
    }
  }
  if (t.finish != nullptr && t.finish->residual != nullptr) return finish_tile<Type, true>(*t.finish, sums);
  if (t.finish != nullptr) return finish_tile<Type, false>(*t.finish, sums);
  auto* to = static_cast<std::byte*>(t.sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) Type::store(sums[r][v], to + (r * kMostVectors + v) * kBytes);
  }
}

template <class Type, int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> tiles(std::integer_sequence<int, kRow...>) {
  return {&tile<Type, kRow + 1, kVectors>...};
}

bool has_avx_vnni() {
  constexpr unsigned kFeatures = 7, kBit = 1U << 4;  // of EAX of its second page
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(kFeatures, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kBit) != 0;
}

void add_avx2(const KernelTable& avx2, std::vector<KernelTable>& tables) {
  if (!has_avx_vnni()) return;
  KernelTable vnni = avx2;
  vnni.isa = "avx2_vnni";
  vnni.int8 = avx2.int8_vnni;
  vnni.depthwise_int8 = avx2.depthwise_vnni;
  tables.push_back(vnni);
}

void add_avx512(const KernelTable& avx512, std::vector<KernelTable>& tables) {
  if (!__builtin_cpu_supports("avx512vnni")) return;
  const auto rows = std::make_integer_sequence<int, kTileRows>();
  KernelTable vnni = avx512;
  vnni.isa = "avx512_vnni";
  vnni.int8 = {.name = "int8_avx512_vnni",
               .group = 4,
               .row_bytes = 1,
               .direct = true,
               .finishes = true,
               .speed = 4,
               .tile = {tiles<Bytes, 1>(rows), tiles<Bytes, 2>(rows)}};
  vnni.depthwise_int8 = avx512.depthwise_vnni;
  tables.push_back(vnni);
  if (!__builtin_cpu_supports("avx512bf16")) return;
  KernelTable bf16 = vnni;
  bf16.isa = "avx512_bf16";
  bf16.bf16 = {.name = "bf16_avx512_bf16",
               .group = 2,
               .row_bytes = 2,
               .direct = true,
               .finishes = true,
               .speed = 2,
               .tile = {tiles<Halves, 1>(rows), tiles<Halves, 2>(rows)}};
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

}  // namespace

void add_dot_products(const KernelTable& table, std::vector<KernelTable>& tables) {
  if (table.name == "avx512") add_avx512(table, tables);
  if (table.name == "avx2") add_avx2(table, tables);
}

}  // namespace tessera::cpu

#else

namespace tessera::cpu {
void add_dot_products(const KernelTable&, std::vector<KernelTable>&) {}
}  // namespace tessera::cpu

#endif
