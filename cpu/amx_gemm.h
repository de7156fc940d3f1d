#pragma once
// C = A * B by AMX (cpu/amx.h): B packed once at load, rows of A copied into tiles as they are needed, whatever they
// are stored in. Private to cpu/.

#include <cstdint>
#include <span>

#include "core/function_ref.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "core/value.h"
#include "cpu/amx.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/low_gemm.h"

namespace tessera::cpu {

// B [K, N] in panels of kAmxPanel columns, each as AmxArguments has it; the last one is a tile wide if that is enough.
// What is missing of K and N is zeros. Large float32 matrices are kept as they are, in the same order, and a panel
// becomes tiles when it is multiplied: the parts would be half as much again.
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

struct AmxProduct {
  const KernelTable& table;  // with its unit
  const AmxMatrix& b;
  std::int64_t rows = 0;
  ValueView y;                               // [rows, n]
  const ConstValueView* residual = nullptr;  // like y, or null
  Epilogue epilogue;
};

// Rows that are copied into tiles first, whatever they are stored in.
struct AmxRows {
  ValueType type;
  std::int64_t taps = 1;     // parts that a row is in, each K / taps long. To B they are one.
  LowRowPointers pointers;   // as for LowProduct
  float* scratch = nullptr;  // amx_floats()
};
std::int64_t amx_floats(const AmxMatrix& b, std::int64_t rows, int threads);
void multiply(const AmxProduct& product, const AmxRows& a, ThreadPool& threads);

// Whether products in low precision are faster than by AVX-512.
constexpr bool amx_pays_in_few_bits(std::int64_t n, std::int64_t k) { return n >= 64 && k >= 64; }
// Whether products of float32 are faster than by multiply-adds: what copying a row costs is shared by the panels that
// it is multiplied with, and what making tiles of a panel costs by the rows of a picture.
constexpr bool amx_pays(std::int64_t rows, std::int64_t n, std::int64_t k) { return rows >= 100 && n >= 80 && k >= 80; }

// Rows that lie in memory as tiles can be loaded: those of a line at a constant distance from each other, for each tap.
struct AmxLines {
  std::int64_t line_rows = 0;                                  // of A in a line; rows are lines one after another
  std::int64_t row_bytes = 0, part_bytes = 0, step_bytes = 0;  // as in AmxArguments
  // Writes where row `row` of line `line` begins: to[2 * tap] for each tap of B. What lies behind the K values of a tap
  // up to a whole step is read as well, and must be finite.
  FunctionRef<void(std::int64_t line, std::int64_t row, const std::byte** to)> locate;
};
void multiply(const AmxProduct& product, const AmxLines& a, ThreadPool& threads);

// `count` values as steps of a row of A: steps lie `step` bytes apart, the parts of a float32 `part`. The last step is
// filled with zeros.
struct AmxSteps {
  std::byte* to;
  std::int64_t step, part;
};
void put_values(const KernelTable& table, const std::byte* from, const ValueType& stored, const AmxMatrix& b,
                std::int64_t count, const AmxSteps& steps);

}  // namespace tessera::cpu
