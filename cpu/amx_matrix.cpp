#include "cpu/amx_matrix.h"

#include <array>
#include <cstring>
#include <vector>

#include "cpu/low_gemm.h"

namespace tessera::cpu {

namespace {

AmxKind kind_of(DType operand) {
  switch (operand) {
    case DType::kU8:
      return AmxKind::kInt8;
    case DType::kBf16:
      return AmxKind::kBf16;
    default:
      return AmxKind::kF32;
  }
}

}  // namespace

void put_values(const KernelTable& table, const std::byte* from, const ValueType& stored, const AmxMatrix& b,
                std::int64_t count, const AmxSteps& steps) {
  const ValueType& operand = b.operand();
  const std::int64_t value = bytes_of(operand.dtype);
  if (stored.dtype == operand.dtype && operand.dtype != DType::kF32) {
    table.amx->copy(from, count * value, steps.to, steps.step);
    return;
  }
  constexpr std::int64_t kPart = 256;                   // values at a time: whole steps of any type
  std::array<float, kPart> floats;                      // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  std::array<std::byte, kPart * sizeof(float)> turned;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const std::int64_t most = stored.dtype == operand.dtype ? count : kPart;
  for (std::int64_t at = 0; at < count; at += most) {
    const std::int64_t length = std::min(most, count - at);
    const std::byte* values = from + at * bytes_of(stored.dtype);
    std::byte* to = steps.to + at / b.step_values() * steps.step;
    const auto* decoded = reinterpret_cast<const float*>(values);
    if (stored.dtype != DType::kF32) {
      table.decode(values, stored, floats.data(), length);
      decoded = floats.data();
    }
    if (operand.dtype == DType::kF32) {
      table.split({.from = decoded, .count = length, .to = to, .step = steps.step, .part = steps.part});
    } else {
      table.encode(decoded, turned.data(), operand, length);
      table.amx->copy(turned.data(), length * value, to, steps.step);
    }
  }
}

namespace {
// Small matrices are kept as tiles: what stays in the cache is multiplied too often to be made each time.
bool keeps_tiles(AmxKind kind, std::int64_t n, std::int64_t k, std::int64_t taps) {
  constexpr std::int64_t kPartBytes = 2;
  return kind != AmxKind::kF32 || taps > 1 || n * k * kPartBytes * kAmxF32Parts <= cache_for_reuse();
}
}  // namespace

AmxMatrix::AmxMatrix(const KernelTable& table, const ValueType& operand, const float* rows, std::int64_t n,
                     std::int64_t k, std::int64_t taps, std::span<const float> bias)
    : kind_(kind_of(operand.dtype)),
      operand_(operand),
      n_(n),
      k_(k),
      taps_(taps),
      value_bytes_(operand.dtype == DType::kU8 ? 1 : 2),
      in_tiles_(keeps_tiles(kind_, n, k, taps)),
      bytes_(static_cast<std::size_t>(((panels() - 1) * 2 + vectors(panels() - 1)) * steps() * kept_tile_bytes())),
      values_(allocate_aligned(bytes_)),
      factor_(Tensor::zeros({panels() * kAmxPanel})),
      offset_(Tensor::zeros({panels() * kAmxPanel})) {
  std::ranges::copy(bias, offset_.data());
  std::vector<std::byte> memory(in_tiles_ ? static_cast<std::size_t>(kAmxColumns * steps() * step_bytes()) : 0);
  for (std::int64_t p = 0; p < panels(); ++p) {
    if (in_tiles_) {
      pack_columns(table, rows, p, memory);
    } else {
      keep_columns(rows, p);
    }
  }
}

// The values of a tile's parts, in the order of its rows: [16][16 columns][2 of K].
void AmxMatrix::keep_columns(const float* rows, std::int64_t panel) {
  constexpr std::int64_t kPair = 2, kInStep = kAmxStep / 2;
  auto* to = reinterpret_cast<float*>(values_.get() + panel * steps() * 2 * kept_tile_bytes());
  for (std::int64_t step = 0; step < steps(); ++step) {
    const std::int64_t begin = step * kInStep, depth = std::min(kInStep, k_ - begin);
    for (std::int64_t vector = 0; vector < vectors(panel); ++vector, to += kAmxRows * kInStep) {
      const std::int64_t first = panel * kAmxPanel + vector * kAmxColumns, count = std::min(kAmxColumns, n_ - first);
      if (depth < kInStep || count < kAmxColumns) std::fill_n(to, kAmxRows * kInStep, 0.0F);
      for (std::int64_t c = 0; c < count; ++c) {
        const float* from = rows + (first + c) * k_ + begin;
        for (std::int64_t i = 0; i < depth; ++i) to[i / kPair * kInStep + c * kPair + i % kPair] = from[i];
      }
    }
  }
}

void AmxMatrix::put_column(const KernelTable& table, const float* values, std::int64_t column, std::byte* to,
                           std::span<std::int8_t> integers) {
  const std::byte* from = reinterpret_cast<const std::byte*>(values);
  ValueType stored;
  if (kind_ == AmxKind::kInt8) {
    const Int8Column quantised = quantise_column({values, static_cast<std::size_t>(k_)}, integers.data());
    const float factor = operand_.scale * quantised.scale;
    factor_.data()[column] = factor;
    offset_.data()[column] -= factor * static_cast<float>(operand_.zero * quantised.sum);
    from = reinterpret_cast<const std::byte*>(integers.data());
    stored = operand_;  // bytes as well
  }
  const std::int64_t length = k_ / taps_, tap_bytes = length * bytes_of(stored.dtype);
  for (std::int64_t tap = 0; tap < taps_; ++tap, from += tap_bytes, to += tap_steps() * step_bytes()) {
    put_values(table, from, stored, *this, length, {to, step_bytes(), kAmxStep});
  }
}

// Columns are put into steps, as rows of A are; then groups of values that lie side by side in them go below each
// other.
void AmxMatrix::pack_columns(const KernelTable& table, const float* rows, std::int64_t panel,
                             std::span<std::byte> memory) {
  const std::int64_t column_bytes = steps() * step_bytes();
  std::vector<std::int8_t> integers(kind_ == AmxKind::kInt8 ? static_cast<std::size_t>(k_) : 0);
  for (std::int64_t vector = 0; vector < vectors(panel); ++vector) {
    const std::int64_t first = panel * kAmxPanel + vector * kAmxColumns;
    const std::int64_t count = std::min(kAmxColumns, n_ - first);
    std::ranges::fill(memory, std::byte{0});
    for (std::int64_t c = 0; c < count; ++c) {
      put_column(table, rows + (first + c) * k_, first + c, memory.data() + c * column_bytes, integers);
    }
    std::byte* const to = values_.get() + panel * steps() * 2 * kept_tile_bytes() + vector * kAmxTile;
    for (std::int64_t line = 0; line < steps() * parts(); ++line) {
      table.amx->transpose(memory.data() + line * kAmxStep, column_bytes, to + line * vectors(panel) * kAmxTile);
    }
  }
}

}  // namespace tessera::cpu
