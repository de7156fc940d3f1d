#pragma once
// The second operand of products by AMX, packed once at load, and the conversion of values of either operand to steps
// of tiles. Private to cpu/.

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/tensor.h"
#include "core/value.h"
#include "cpu/amx.h"
#include "cpu/blocking.h"
#include "cpu/kernels.h"

namespace tessera::cpu {

// B [K, N] in panels of kAmxPanel columns, each as AmxArguments has it; the last one is a tile wide if that is enough.
// Zeros fill up K and N. Large float32 matrices are kept as float32, in the order of the tiles, and a panel becomes
// tiles when it is multiplied, between the products of the first block of rows: the parts would take half as much
// memory again.
class AmxMatrix {
 public:
  AmxMatrix() = default;
  // `rows` is B transposed, [N, K] dense; `bias` [N] or empty. `operand` is what is multiplied: float32 in its parts,
  // bfloat16, or uint8 with its scale (by int8). K is in `taps` lengths, each padded to whole steps.
  AmxMatrix(const KernelTable& table, const ValueType& operand, const float* rows, std::int64_t n, std::int64_t k,
            std::int64_t taps, std::span<const float> bias);

  AmxKind kind() const noexcept { return kind_; }
  const ValueType& operand() const noexcept { return operand_; }
  bool in_tiles() const noexcept { return in_tiles_; }
  std::int64_t n() const noexcept { return n_; }
  std::int64_t k() const noexcept { return k_; }
  std::int64_t step_values() const { return kAmxStep / value_bytes_; }  // of K in a step
  std::int64_t taps() const noexcept { return taps_; }
  std::int64_t tap_steps() const { return ceil_div(k_ / taps_, step_values()); }
  std::int64_t steps() const { return taps_ * tap_steps(); }
  std::int64_t parts() const { return amx_parts(kind_); }
  std::int64_t step_bytes() const { return parts() * kAmxStep; }  // of a row of A
  std::int64_t panels() const noexcept { return ceil_div(n_, kAmxPanel); }
  std::int64_t columns(std::int64_t panel) const { return std::min(kAmxPanel, n_ - panel * kAmxPanel); }
  std::int64_t vectors(std::int64_t panel) const { return ceil_div(columns(panel), kAmxColumns); }
  // Panel `index` from a step on, as it is kept; the bytes of a step of it.
  const std::byte* panel(std::int64_t index, std::int64_t step = 0) const {
    return values_.get() + index * steps() * 2 * kept_tile_bytes() + step * panel_step_bytes(index);
  }
  std::int64_t panel_step_bytes(std::int64_t index) const { return vectors(index) * kept_tile_bytes(); }
  // So many steps of one as tiles, where they are not kept so.
  std::int64_t panel_tile_bytes(std::int64_t count) const { return count * 2 * parts() * kAmxTile; }
  const float* factor(std::int64_t index) const { return factor_.data() + index * kAmxPanel; }
  const float* offset(std::int64_t index) const { return offset_.data() + index * kAmxPanel; }
  std::size_t bytes() const { return bytes_ + factor_.values().size_bytes() + offset_.values().size_bytes(); }

 private:
  // Of 16 columns of a step.
  std::int64_t kept_tile_bytes() const { return in_tiles_ ? parts() * kAmxTile : kAmxTile * 2; }
  void put_column(const KernelTable& table, const float* values, std::int64_t column, std::byte* to,
                  std::span<std::int8_t> integers);
  void pack_columns(const KernelTable& table, const float* rows, std::int64_t panel, std::span<std::byte> memory);
  void keep_columns(const float* rows, std::int64_t panel);

  AmxKind kind_ = AmxKind::kF32;
  ValueType operand_;
  std::int64_t n_ = 0, k_ = 0, taps_ = 1;
  std::int64_t value_bytes_ = 2;  // in a tile
  bool in_tiles_ = true;
  std::size_t bytes_ = 0;
  AlignedBytes values_;
  Tensor factor_, offset_;  // by column, padded to whole panels
};

// `count` values as steps of a row of A: steps lie `step` bytes apart, the parts of a float32 `part`. The last step is
// filled with zeros.
struct AmxSteps {
  std::byte* to;
  std::int64_t step, part;
};
void put_values(const KernelTable& table, const std::byte* from, const ValueType& stored, const AmxMatrix& b,
                std::int64_t count, const AmxSteps& steps);

}  // namespace tessera::cpu
