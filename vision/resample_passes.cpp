// Sums of 8-bit pixels times fixed-point weights, in integers, so that every order of summing gives the same bits.
//
// A weight has 22 fractional bits; a 32-bit multiplication of vectors costs twice a 16-bit one. So a weight is split,
// w = high * 2^11 + low, both of 16 bits, and vpmaddwd multiplies and adds two neighbouring taps at once:
//
//   sum = (sum(pixel * high) << 11) + sum(pixel * low)        modulo 2^32; the sum itself fits, so this is exact
//
// torchvision's weights have 16 bits as they are: high = 0 and its half of the work is left out.
//
// Horizontal: four rows at a time. The rows are first laid out as [x][row 0 … 3][R G B 0] of 16 bits, 32 bytes a
// column, so that the weights of an output column are fetched once for 4 x 3 values.
// Vertical: 32 bytes of a row at a time, eight accumulators, two input rows at a time.

#include <algorithm>
#include <array>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "vision/resample.h"

namespace tessera {

namespace {

std::uint8_t clip(std::int32_t sum, int bits) { return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255)); }

Image blank(int width, int height) {
  Image image{width, height, {}};
  image.pixels.resize(image.stride() * static_cast<std::size_t>(height));
  return image;
}

// The vertical pass for narrow pictures and other machines.
void plain_vertical_rows(const Image& in, const ResampleAxis& axis, int first_row, std::size_t first_byte, Image& out) {
  std::vector<std::int32_t> sums(out.stride());
  for (int y = 0; y < out.height; ++y) {
    const auto index = static_cast<std::size_t>(y);
    std::ranges::fill(sums, 1 << (axis.bits - 1));
    for (int i = 0; i < axis.count[index]; ++i) {
      const std::uint8_t* from = in.row(axis.first[index] - first_row + i) + first_byte;
      const std::int32_t weight = axis.at(y)[i];
      for (std::size_t x = 0; x < sums.size(); ++x) sums[x] += from[x] * weight;
    }
    std::uint8_t* to = out.row(y);
    for (std::size_t x = 0; x < sums.size(); ++x) to[x] = clip(sums[x], axis.bits);
  }
}

#ifdef __AVX2__

// Weights of taps 2i and 2i + 1 side by side in 32 bits, as vpmaddwd wants them.
struct PairedWeights {
  static constexpr int kLowBits = 11;
  bool split = false;
  int stride = 0;  // pairs for each output position
  std::vector<std::int32_t> high, low;

  explicit PairedWeights(const ResampleAxis& axis) : stride(axis.stride / 2) {
    const auto pair = [](std::int32_t first, std::int32_t second) {
      return static_cast<std::int32_t>((static_cast<std::uint32_t>(second) << 16) |
                                       (static_cast<std::uint32_t>(first) & 0xFFFFU));
    };
    constexpr std::int32_t kMask = (1 << kLowBits) - 1;
    split = std::ranges::any_of(axis.weights, [](std::int32_t w) { return w < -(1 << 15) || w >= (1 << 15); });
    low.reserve(axis.weights.size() / 2);
    for (std::size_t i = 0; i < axis.weights.size(); i += 2) {
      const std::int32_t first = axis.weights[i], second = axis.weights[i + 1];
      low.push_back(split ? pair(first & kMask, second & kMask) : pair(first, second));
      if (split) high.push_back(pair(first >> kLowBits, second >> kLowBits));
    }
  }
  const std::int32_t* low_at(int output) const { return low.data() + offset(output); }
  const std::int32_t* high_at(int output) const { return split ? high.data() + offset(output) : nullptr; }

 private:
  std::size_t offset(int output) const { return static_cast<std::size_t>(output) * static_cast<std::size_t>(stride); }
};

constexpr int kRows = 4;  // of the horizontal pass's block

struct Column {
  __m256i values;
};

// Columns [begin, end) of four rows as [x][row][R G B 0], 16 bits each, and a column of zeros behind.
void lay_out(const std::array<const std::uint8_t*, kRows>& rows, int begin, int end, std::vector<Column>& columns) {
  Column* to = columns.data();
  int x = begin;
  const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  for (; x + 6 <= end; x += 4, to += 4) {  // reads 16 bytes: 5 pixels and a third
    __m128i row[kRows];
    for (std::size_t r = 0; r < kRows; ++r) {
      row[r] =
          _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + std::ptrdiff_t{x} * 3)), spread);
    }
    const __m128i a = _mm_unpacklo_epi32(row[0], row[1]), b = _mm_unpacklo_epi32(row[2], row[3]);
    const __m128i c = _mm_unpackhi_epi32(row[0], row[1]), d = _mm_unpackhi_epi32(row[2], row[3]);
    to[0].values = _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(a, b));
    to[1].values = _mm256_cvtepu8_epi16(_mm_unpackhi_epi64(a, b));
    to[2].values = _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(c, d));
    to[3].values = _mm256_cvtepu8_epi16(_mm_unpackhi_epi64(c, d));
  }
  for (; x < end; ++x) {
    alignas(32) std::array<std::int16_t, std::size_t{4} * kRows> column{};
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        column[r * 4 + channel] = rows[r][static_cast<std::size_t>(x) * 3 + channel];
      }
    }
    (to++)->values = _mm256_load_si256(reinterpret_cast<const __m256i*>(column.data()));
  }
  to->values = _mm256_setzero_si256();
}

// One output column of four rows: bytes [row][R G B ?].
template <bool Split>
__m128i sum_column(const Column* taps, int pairs, const std::int32_t* low, const std::int32_t* high, int bits) {
  __m256i low_even = _mm256_set1_epi32(1 << (bits - 1)), low_odd = low_even;  // rows 0 and 2, rows 1 and 3
  __m256i high_even = _mm256_setzero_si256(), high_odd = high_even;
  for (int i = 0; i < pairs; ++i, taps += 2) {
    const __m256i even = _mm256_unpacklo_epi16(taps[0].values, taps[1].values);
    const __m256i odd = _mm256_unpackhi_epi16(taps[0].values, taps[1].values);
    const __m256i low_weight = _mm256_set1_epi32(low[i]);
    low_even = _mm256_add_epi32(low_even, _mm256_madd_epi16(even, low_weight));
    low_odd = _mm256_add_epi32(low_odd, _mm256_madd_epi16(odd, low_weight));
    if constexpr (Split) {
      const __m256i high_weight = _mm256_set1_epi32(high[i]);
      high_even = _mm256_add_epi32(high_even, _mm256_madd_epi16(even, high_weight));
      high_odd = _mm256_add_epi32(high_odd, _mm256_madd_epi16(odd, high_weight));
    }
  }
  if constexpr (Split) {
    low_even = _mm256_add_epi32(low_even, _mm256_slli_epi32(high_even, PairedWeights::kLowBits));
    low_odd = _mm256_add_epi32(low_odd, _mm256_slli_epi32(high_odd, PairedWeights::kLowBits));
  }
  const __m128i shift = _mm_cvtsi32_si128(bits);
  const __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(low_even, shift), _mm256_sra_epi32(low_odd, shift));
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

template <bool Split>
void horizontal_rows(const Image& in, const ResampleAxis& axis, const PairedWeights& paired, int first_row,
                     Image& out) {
  const int begin = axis.begin();
  std::vector<Column> columns(static_cast<std::size_t>(axis.end() - begin) + 1);
  for (int y = 0; y < out.height; y += kRows) {
    const int rows = std::min(kRows, out.height - y);
    std::array<const std::uint8_t*, kRows> from{};
    for (int r = 0; r < kRows; ++r) from[static_cast<std::size_t>(r)] = in.row(first_row + y + std::min(r, rows - 1));
    lay_out(from, begin, axis.end(), columns);
    for (int x = 0; x < out.width; ++x) {
      const auto index = static_cast<std::size_t>(x);
      alignas(16) std::array<std::uint8_t, 16> sums;
      _mm_store_si128(reinterpret_cast<__m128i*>(sums.data()),
                      sum_column<Split>(columns.data() + (axis.first[index] - begin), (axis.count[index] + 1) / 2,
                                        paired.low_at(x), paired.high_at(x), axis.bits));
      for (int r = 0; r < rows; ++r) std::copy_n(sums.data() + std::ptrdiff_t{r} * 4, 3, out.row(y + r) + index * 3);
    }
  }
}

constexpr std::size_t kBlock = 32;  // bytes of the vertical pass

template <bool Split>
void vertical_block(const std::vector<const std::uint8_t*>& rows, std::size_t at, const std::int32_t* low,
                    const std::int32_t* high, int bits, std::uint8_t* to) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i half = _mm256_set1_epi32(1 << (bits - 1));
  __m256i low_sum[4] = {half, half, half, half};
  __m256i high_sum[4] = {zero, zero, zero, zero};
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + at));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i + 1] + at));
    const __m256i near = _mm256_unpacklo_epi8(first, second), far = _mm256_unpackhi_epi8(first, second);
    const __m256i pairs[4] = {_mm256_unpacklo_epi8(near, zero), _mm256_unpackhi_epi8(near, zero),
                              _mm256_unpacklo_epi8(far, zero), _mm256_unpackhi_epi8(far, zero)};
    const __m256i low_weight = _mm256_set1_epi32(low[i / 2]);
    for (std::size_t j = 0; j < 4; ++j) {
      low_sum[j] = _mm256_add_epi32(low_sum[j], _mm256_madd_epi16(pairs[j], low_weight));
    }
    if constexpr (Split) {
      const __m256i high_weight = _mm256_set1_epi32(high[i / 2]);
      for (std::size_t j = 0; j < 4; ++j) {
        high_sum[j] = _mm256_add_epi32(high_sum[j], _mm256_madd_epi16(pairs[j], high_weight));
      }
    }
  }
  const __m128i shift = _mm_cvtsi32_si128(bits);
  for (std::size_t j = 0; j < 4; ++j) {
    if constexpr (Split) {
      low_sum[j] = _mm256_add_epi32(low_sum[j], _mm256_slli_epi32(high_sum[j], PairedWeights::kLowBits));
    }
    low_sum[j] = _mm256_sra_epi32(low_sum[j], shift);
  }
  // The unpacking above and the packing here both work within 128-bit halves, so the bytes come out in order.
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(to + at),
      _mm256_packus_epi16(_mm256_packs_epi32(low_sum[0], low_sum[1]), _mm256_packs_epi32(low_sum[2], low_sum[3])));
}

template <bool Split>
void vertical_rows(const Image& in, const ResampleAxis& axis, const PairedWeights& paired, int first_row,
                   std::size_t first_byte, Image& out) {
  std::vector<const std::uint8_t*> rows;
  for (int y = 0; y < out.height; ++y) {
    const auto index = static_cast<std::size_t>(y);
    rows.clear();
    for (int i = 0; i < axis.count[index]; ++i) rows.push_back(in.row(axis.first[index] - first_row + i) + first_byte);
    if (rows.size() % 2 != 0) rows.push_back(rows.back());  // its weight is zero
    std::size_t at = 0;
    for (; at + kBlock <= out.stride(); at += kBlock) {
      vertical_block<Split>(rows, at, paired.low_at(y), paired.high_at(y), axis.bits, out.row(y));
    }
    if (at < out.stride()) {  // the last block once more, ending where the row ends
      vertical_block<Split>(rows, out.stride() - kBlock, paired.low_at(y), paired.high_at(y), axis.bits, out.row(y));
    }
  }
}

#endif

}  // namespace

Image horizontal_pass(const Image& in, const ResampleAxis& axis, int first_row, int rows) {
  Image out = blank(axis.size(), rows);
#ifdef __AVX2__
  const PairedWeights paired(axis);
  paired.split ? horizontal_rows<true>(in, axis, paired, first_row, out)
               : horizontal_rows<false>(in, axis, paired, first_row, out);
#else
  for (int y = 0; y < rows; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x) {
      const auto index = static_cast<std::size_t>(x);
      const std::uint8_t* from = in.row(first_row + y) + static_cast<std::size_t>(axis.first[index]) * 3;
      const std::int32_t* weights = axis.at(x);
      std::array<std::int32_t, 3> sums;
      sums.fill(1 << (axis.bits - 1));
      for (int i = 0; i < axis.count[index]; ++i, from += 3) {
        for (std::size_t channel = 0; channel < 3; ++channel) sums[channel] += from[channel] * weights[i];
      }
      for (const std::int32_t sum : sums) *to++ = clip(sum, axis.bits);
    }
  }
#endif
  return out;
}

Image vertical_pass(const Image& in, const ResampleAxis& axis, int first_row, int first_column, int columns) {
  Image out = blank(columns, axis.size());
  const std::size_t first_byte = static_cast<std::size_t>(first_column) * 3;
#ifdef __AVX2__
  if (out.stride() >= kBlock) {
    const PairedWeights paired(axis);
    paired.split ? vertical_rows<true>(in, axis, paired, first_row, first_byte, out)
                 : vertical_rows<false>(in, axis, paired, first_row, first_byte, out);
    return out;
  }
#endif
  plain_vertical_rows(in, axis, first_row, first_byte, out);
  return out;
}

}  // namespace tessera
