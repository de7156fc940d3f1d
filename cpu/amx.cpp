#include "cpu/amx.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/intrinsics.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tessera::cpu {

namespace {

// Registers: four tiles of sums, then two of A, two of B.
constexpr int kA = 4, kB = 6, kRegisters = 8;
constexpr std::int64_t kSumBytes = 4, kSumStride = kAmxPanel * kSumBytes;
constexpr int kIntoL2 = 2;  // of __builtin_prefetch

// Which part of A is multiplied by which of B, in an order in which one of them stays in its registers.
struct Pair {
  std::int64_t a, b;
};
template <AmxKind kKind>
inline constexpr std::array<Pair, 1> kPairs{{{0, 0}}};
template <>
inline constexpr std::array<Pair, 6> kPairs<AmxKind::kF32>{{{0, 2}, {0, 1}, {1, 1}, {1, 0}, {0, 0}, {2, 0}}};

// The registers by plain loops. Tile r of the sums is [height][16], of A [height][64 bytes], of B [16][64 bytes].
class Emulated {
 public:
  static void begin(std::int64_t height) { tile_height = height; }
  static void end() {}
  static std::int64_t height() { return tile_height; }
  static void idle() {}
  template <int kTile>
  static void zero() {
    tile_memory[kTile] = {};
  }
  template <int kTile>
  static void load(const std::byte* from, std::int64_t stride) {
    for (std::int64_t row = 0; row < rows<kTile>(); ++row) {
      std::memcpy(tile_memory[kTile].data() + row * kAmxStep, from + row * stride, kAmxStep);
    }
  }
  template <int kTile>
  static void store(std::byte* to, std::int64_t stride) {
    for (std::int64_t row = 0; row < tile_height; ++row) {
      std::memcpy(to + row * stride, tile_memory[kTile].data() + row * kAmxStep, kAmxStep);
    }
  }
  template <int kSum, int kLeft, int kRight>
  static void multiply_bf16() {
    multiply<float, 2, kSum, kLeft, kRight>(&bf16, &bf16,
                                            [](float a, float b, float sum) { return std::fma(a, b, sum); });
  }
  template <int kSum, int kLeft, int kRight>
  static void multiply_int8() {
    multiply<std::int32_t, 1, kSum, kLeft, kRight>(&unsigned_byte, &signed_byte,
                                                   [](int a, int b, int sum) { return a * b + sum; });
  }

 private:
  template <int kTile>
  static std::int64_t rows() {
    return kTile < kB ? tile_height : kAmxRows;
  }
  static float bf16(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof(bits));
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  static std::int32_t unsigned_byte(const std::byte* from) { return std::to_integer<std::int32_t>(*from); }
  static std::int32_t signed_byte(const std::byte* from) { return static_cast<std::int8_t>(*from); }

  // Values of kBytes bytes; a word of B has those of one column that follow each other along K.
  template <class Sum, std::int64_t kBytes, int kSum, int kLeft, int kRight, class Read, class Add>
  static void multiply(const Read& left, const Read& right, const Add& add) {
    constexpr std::int64_t kDepth = kAmxStep / kBytes, kInWord = 4 / kBytes;
    std::array<std::array<Sum, kAmxColumns>, kDepth> columns;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
    for (std::int64_t k = 0; k < kDepth; ++k) {
      for (std::int64_t c = 0; c < kAmxColumns; ++c) {
        const std::int64_t at = k / kInWord * kAmxStep + c * 4 + k % kInWord * kBytes;
        columns[static_cast<std::size_t>(k)][static_cast<std::size_t>(c)] = right(tile_memory[kRight].data() + at);
      }
    }
    for (std::int64_t row = 0; row < tile_height; ++row) {
      std::byte* const to = tile_memory[kSum].data() + row * kAmxStep;
      std::array<Sum, kAmxColumns> sums{};
      std::memcpy(sums.data(), to, kAmxStep);
      for (std::int64_t k = 0; k < kDepth; ++k) {
        const Sum value = left(tile_memory[kLeft].data() + row * kAmxStep + k * kBytes);
        const auto& of_k = columns[static_cast<std::size_t>(k)];
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = add(value, of_k[c], sums[c]);
      }
      std::memcpy(to, sums.data(), kAmxStep);
    }
  }

  static thread_local std::int64_t tile_height;
  static thread_local std::array<std::array<std::byte, kAmxTile>, kRegisters> tile_memory;
};
thread_local std::int64_t Emulated::tile_height = kAmxRows;
thread_local std::array<std::array<std::byte, kAmxTile>, kRegisters> Emulated::tile_memory{};

// Makes the tiles of B, some rows at a time.
template <int kVectors>
class Maker {
 public:
  explicit Maker(const AmxArguments& t)
      : split_(t.split), from_(t.floats), to_(t.made), left_(t.floats == nullptr ? 0 : t.taps * t.steps * kStepRows) {
    if (left_ > 0) make(kStepRows);  // nothing can be multiplied before
  }

  bool has_more() const { return left_ > 0; }
  void make(std::int64_t rows) {
    for (rows = std::min(rows, left_); rows > 0;) {
      const std::int64_t count = std::min(rows, kAmxRows - row_);
      split_({.from = from_,
              .count = count * kValues,
              .to = to_ + row_ * kAmxStep,
              .step = kAmxStep,
              .part = kVectors * kAmxTile});
      from_ += count * kValues;
      left_ -= count;
      rows -= count;
      row_ += count;
      if (row_ == kAmxRows) next_tile();
    }
  }

 private:
  static constexpr std::int64_t kStepRows = kVectors * kAmxRows, kValues = kAmxStep / 2;

  void next_tile() {
    row_ = 0;
    to_ += kAmxTile;
    if (++vector_ < kVectors) return;
    vector_ = 0;
    to_ += (kAmxF32Parts - 1) * kVectors * kAmxTile;
  }

  SplitFunction split_;
  const float* from_;
  std::byte* to_;
  std::int64_t left_, row_ = 0;
  int vector_ = 0;
};

// A step of depth: loads and products in turn. Between them tiles of B are made; or else lie instructions that do
// nothing: on a core whose other hyperthread is busy, a dense row of loads and products of tiles runs at a quarter of
// its speed, and a third faster with them; alone on its core it runs as fast with them as without.
template <class Tiles, AmxKind kKind, int kHalves, int kVectors>
class Step {
 public:
  static constexpr std::int64_t kPartBytes = kVectors * kAmxTile;
  static constexpr std::int64_t kBytes = amx_parts(kKind) * kPartBytes;  // of B

  static void multiply(const std::byte* first, const std::byte* second, const std::byte* b, const AmxArguments& t,
                       Maker<kVectors>& maker) {
    multiply_pairs(first, second, b, t, maker, std::make_index_sequence<kPairs<kKind>.size()>());
  }

 private:
  template <std::size_t... kIndex>
  static void multiply_pairs(const std::byte* first, const std::byte* second, const std::byte* b, const AmxArguments& t,
                             Maker<kVectors>& maker, std::index_sequence<kIndex...>) {
    (multiply_pair<kIndex>(first, second, b, t, maker), ...);
  }

  template <std::size_t kIndex>
  static void multiply_pair(const std::byte* first, const std::byte* second, const std::byte* b, const AmxArguments& t,
                            Maker<kVectors>& maker) {
    constexpr Pair kPair = kPairs<kKind>[kIndex], kBefore = kPairs<kKind>[kIndex == 0 ? 0 : kIndex - 1];
    constexpr bool kNewA = kIndex == 0 || kPair.a != kBefore.a, kNewB = kIndex == 0 || kPair.b != kBefore.b;
    const std::int64_t a_part = kPair.a * t.part_bytes;
    const std::byte* columns = b + kPair.b * kPartBytes;
    if constexpr (kNewA) Tiles::template load<kA>(first + a_part, t.row_bytes);
    if constexpr (kNewB) Tiles::template load<kB>(columns, kAmxStep);
    product<0, 0>(maker);
    if constexpr (kNewA && kHalves == 2) Tiles::template load<kA + 1>(second + a_part, t.row_bytes);
    product<1, 0>(maker);
    if constexpr (kNewB && kVectors == 2) Tiles::template load<kB + 1>(columns + kAmxTile, kAmxStep);
    product<0, 1>(maker);
    product<1, 1>(maker);
  }

  template <int kHalf, int kVector>
  static void product(Maker<kVectors>& maker) {
    if constexpr (kHalf < kHalves && kVector < kVectors) {
      // All rows of the next step, before it begins.
      constexpr std::int64_t kGaps = static_cast<std::int64_t>(kPairs<kKind>.size()) * kHalves;
      if (kKind == AmxKind::kF32 && maker.has_more()) {
        maker.make((kAmxRows + kGaps - 1) / kGaps);
      } else {
        Tiles::idle();
      }
      if constexpr (kKind == AmxKind::kInt8) {
        Tiles::template multiply_int8<2 * kHalf + kVector, kA + kHalf, kB + kVector>();
      } else {
        Tiles::template multiply_bf16<2 * kHalf + kVector, kA + kHalf, kB + kVector>();
      }
    }
  }
};

// Each register of sums and where its first row lies.
template <class Tiles, int kHalves, int kVectors>
void for_sums(const AmxArguments& t, const auto& body) {
  auto* const sums = static_cast<std::byte*>(t.sums);
  const auto one = [&](auto half, auto vector) {
    constexpr int kHalf = decltype(half)::value, kVector = decltype(vector)::value;
    constexpr std::integral_constant<int, 2 * kHalf + kVector> kTile;
    if constexpr (kHalf < kHalves && kVector < kVectors) {
      body(kTile, sums + kHalf * Tiles::height() * kSumStride + kVector * kAmxColumns * kSumBytes);
    }
  };
  constexpr std::integral_constant<int, 0> kFirst;
  constexpr std::integral_constant<int, 1> kSecond;
  one(kFirst, kFirst);
  one(kFirst, kSecond);
  one(kSecond, kFirst);
  one(kSecond, kSecond);
}

void fetch(AmxAhead& ahead) {
  for (std::int64_t line = 0; line < ahead.lines; ++line, ahead.at += kAmxStep) {
    __builtin_prefetch(ahead.at, 0, kIntoL2);
  }
}

template <class Tiles, AmxKind kKind, int kHalves, int kVectors>
void multiply(const AmxArguments& t) {
  if (t.goes_on) {
    for_sums<Tiles, kHalves, kVectors>(
        t, [&](auto tile, const std::byte* from) { Tiles::template load<tile.value>(from, kSumStride); });
  } else {
    for_sums<Tiles, kHalves, kVectors>(t, [](auto tile, std::byte*) { Tiles::template zero<tile.value>(); });
  }
  const std::byte* b = t.b;
  AmxAhead first_ahead = t.ahead[0], second_ahead = t.ahead[1];
  Maker<kVectors> maker(t);
  using Each = Step<Tiles, kKind, kHalves, kVectors>;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::byte* first = t.a[2 * tap];
    const std::byte* second = t.a[kHalves > 1 ? 2 * tap + 1 : 2 * tap];  // there is no other
    for (std::int64_t step = 0; step < t.steps; ++step, first += t.step_bytes, second += t.step_bytes) {
      fetch(first_ahead);
      fetch(second_ahead);
      Each::multiply(first, second, b, t, maker);
      b += Each::kBytes;
    }
  }
  for_sums<Tiles, kHalves, kVectors>(
      t, [&](auto tile, std::byte* to) { Tiles::template store<tile.value>(to, kSumStride); });
}

template <class Tiles, AmxKind kKind>
constexpr std::array<std::array<AmxFunction, 2>, 2> products() {
  return {{{&multiply<Tiles, kKind, 1, 1>, &multiply<Tiles, kKind, 1, 2>},
           {&multiply<Tiles, kKind, 2, 1>, &multiply<Tiles, kKind, 2, 2>}}};
}

void transpose_words(const std::byte* rows, std::int64_t row_bytes, std::byte* tile) {
  constexpr std::int64_t kWord = 4;
  for (std::int64_t row = 0; row < kAmxColumns; ++row, rows += row_bytes) {
    for (std::int64_t word = 0; word < kAmxRows; ++word) {
      std::memcpy(tile + word * kAmxStep + row * kWord, rows + word * kWord, kWord);
    }
  }
}

void copy_steps(const std::byte* from, std::int64_t bytes, std::byte* to, std::int64_t step) {
  for (; bytes > 0; bytes -= kAmxStep, from += kAmxStep, to += step) {
    const std::int64_t count = std::min(bytes, kAmxStep);
    std::memcpy(to, from, static_cast<std::size_t>(count));
    std::memset(to + count, 0, static_cast<std::size_t>(kAmxStep - count));
  }
}

template <class Tiles>
AmxUnit make_unit() {
  return {&Tiles::begin,
          &Tiles::end,
          &transpose_words,
          &copy_steps,
          nullptr,
          {products<Tiles, AmxKind::kF32>(), products<Tiles, AmxKind::kBf16>(), products<Tiles, AmxKind::kInt8>()}};
}

}  // namespace

const AmxUnit& emulated_amx_unit() {
  static const AmxUnit unit = make_unit<Emulated>();
  return unit;
}

#if defined(__x86_64__) && defined(__linux__)

namespace {

// The registers themselves. By assembly, since the compilers' intrinsics take a register's number as text, and GCC's do
// not tell it what memory they read.
class Registers {
 public:
  static void begin(std::int64_t height) {
    if (height == configured_height) return;
    configured_height = height;
    Configuration configuration;
    for (std::size_t tile = 0; tile < kRegisters; ++tile) {
      configuration.row_bytes[tile] = kAmxStep;
      configuration.rows[tile] = static_cast<std::uint8_t>(tile < kB ? height : kAmxRows);
    }
    asm volatile("ldtilecfg %0" : : "m"(configuration) : "memory");
  }
  static void end() {
    configured_height = 0;
    asm volatile("tilerelease" : : : "memory");
  }
  static std::int64_t height() { return configured_height; }

  static void idle() {
    asm volatile(
        ".rept 24\n"
        "nop\n"
        ".endr");
  }
  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const std::byte* from, std::int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(std::byte* to, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kSum, int kLeft, int kRight>
  static void multiply_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kLeft), "i"(kRight));
  }
  template <int kSum, int kLeft, int kRight>
  static void multiply_int8() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kLeft), "i"(kRight));
  }

 private:
  struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0;
    std::array<std::uint8_t, 14> reserved{};
    std::array<std::uint16_t, 16> row_bytes{};
    std::array<std::uint8_t, 16> rows{};
  };
  static_assert(sizeof(Configuration) == 64);

  static thread_local std::int64_t configured_height;
};
thread_local std::int64_t Registers::configured_height = 0;

#define TESSERA_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

// 32 floats; of those that are masked out, zeros.
TESSERA_BF16 void split_step(__m512 first, __m512 second, std::byte* to, std::int64_t part) {
  for (std::int64_t index = 0;; ++index, to += part) {
    const auto rounded = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
    _mm512_storeu_si512(to, rounded);
    if (index + 1 == kAmxF32Parts) return;
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(rounded));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(rounded, 1));
    first = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
    second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
  }
}

TESSERA_BF16 void split(const AmxSplit& t) {
  constexpr std::int64_t kValues = kAmxStep / 2, kHalf = kValues / 2;
  const float* from = t.from;
  std::byte* to = t.to;
  std::int64_t count = t.count;
  for (; count >= kValues; count -= kValues, from += kValues, to += t.step) {
    split_step(_mm512_loadu_ps(from), _mm512_loadu_ps(from + kHalf), to, t.part);
  }
  if (count == 0) return;
  const std::uint32_t mask = (1U << count) - 1;
  split_step(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from),
             _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> kHalf), from + kHalf), to, t.part);
}

// Pairs of rows, then of pairs, then of 128 bits: four words of each of four rows side by side at each step.
__attribute__((target("avx512f"))) void transpose_rows(const std::byte* rows, std::int64_t row_bytes, std::byte* tile) {
  __m512i r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(rows + i * row_bytes);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // r[i + c]: column c of each 128 bits, of rows i to i + 3
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int c = 0; c < 4; ++c) {
    constexpr int kEven = 0x88, kOdd = 0xDD;
    const __m512i first_even = _mm512_shuffle_i32x4(r[c], r[c + 4], kEven);
    const __m512i first_odd = _mm512_shuffle_i32x4(r[c], r[c + 4], kOdd);
    const __m512i second_even = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], kEven);
    const __m512i second_odd = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], kOdd);
    _mm512_storeu_si512(tile + c * kAmxStep, _mm512_shuffle_i32x4(first_even, second_even, kEven));
    _mm512_storeu_si512(tile + (c + 4) * kAmxStep, _mm512_shuffle_i32x4(first_odd, second_odd, kEven));
    _mm512_storeu_si512(tile + (c + 8) * kAmxStep, _mm512_shuffle_i32x4(first_even, second_even, kOdd));
    _mm512_storeu_si512(tile + (c + 12) * kAmxStep, _mm512_shuffle_i32x4(first_odd, second_odd, kOdd));
  }
}

__attribute__((target("avx512f,avx512bw"))) void copy_lines(const std::byte* from, std::int64_t bytes, std::byte* to,
                                                            std::int64_t step) {
  for (; bytes >= kAmxStep; bytes -= kAmxStep, from += kAmxStep, to += step) {
    _mm512_storeu_si512(to, _mm512_loadu_si512(from));
  }
  if (bytes > 0) _mm512_storeu_si512(to, _mm512_maskz_loadu_epi8((std::uint64_t{1} << bytes) - 1, from));
}

bool has_amx() {
  constexpr unsigned kFeatures = 7, kBf16 = 1U << 22, kTiles = 1U << 24, kInt8 = 1U << 25,
                     kAll = kBf16 | kTiles | kInt8;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(kFeatures, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAll) == kAll;
}

// Linux saves the tiles of those processes only that ask for them.
bool may_use_amx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

const AmxUnit* amx_unit() {
  static const AmxUnit unit = [] {
    AmxUnit made = make_unit<Registers>();
    made.transpose = &transpose_rows;  // whoever has AMX has AVX-512
    made.copy = &copy_lines;
    if (__builtin_cpu_supports("avx512bf16")) made.split = &split;
    return made;
  }();
  static const bool usable = has_amx() && may_use_amx();
  return usable ? &unit : nullptr;
}

#else

const AmxUnit* amx_unit() { return nullptr; }

#endif

}  // namespace tessera::cpu
