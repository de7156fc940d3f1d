#pragma once
// Matrix products in low precision: bfloat16 with float32 sums, or uint8 times int8 with int32 sums. Private to cpu/.
//
// Weights are bfloat16, or int8 with a scale for each column, w = scale[n] * q, q in -127 to 127. Activations are
// bfloat16, or uint8 with the scale and zero of ValueType. With integers,
//   sum over k of x * w = x.scale * scale[n] * (sum of qx * qw - x.zero * sum of qw),
// and the last term, which does not depend on x, is part of what is added to the column. K is never cut into parts: the
// sums stay in registers to the end.
//
// Few bits are a matter of storage: every layer is defined in float32, and a value is kept as bfloat16 or uint8 when
// the kernel that writes it and all that read it can do so. Winograd, norms, softmax and attention compute in float32,
// and so does the first convolution where no instruction multiplies few bits (by AMX it is in bfloat16). Its int8 needs
// no calibration: a picture's values lie between those of black and white.
//
// Without VNNI the fastest way to multiply bytes adds two products in 16 bits, and saturates (PairDot). Weights of
// seven bits would rule that out at the price of steps twice as coarse. It is enough that two neighbours of one sign
// come to 128 at most, so a column's scale is chosen for that: the steps of EfficientNet-Lite0's median column are 1.24
// times as coarse. So int8 results depend on the instruction set, as float32 results do.

#include <cstdint>
#include <span>

#include "core/function_ref.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "core/value.h"
#include "cpu/blocking.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace tessera::cpu {

// A column of weights in int8: its scale and the sum of its integers.
struct Int8Column {
  float scale;
  std::int64_t sum;
};
// Writes the integers of the column to `to`. With `pairs` they are what LowPrecision::pairs says.
Int8Column quantise_column(std::span<const float> weights, std::int8_t* to, bool pairs = false);

class LowMatrix {
 public:
  LowMatrix() = default;
  // `rows` is B transposed, [N, K] dense; `bias` [N] or empty. `x` is the type of A: bfloat16, or uint8 with its scale.
  LowMatrix(const KernelTable& table, const ValueType& x, const float* rows, std::int64_t n, std::int64_t k,
            std::span<const float> bias);

  const LowPrecision& precision() const noexcept { return *precision_; }
  std::int64_t n() const noexcept { return n_; }
  std::int64_t k() const noexcept { return k_; }
  std::int64_t panels() const noexcept { return ceil_div(n_, panel_); }
  std::int64_t groups() const noexcept { return ceil_div(k_, precision_->group); }
  std::int64_t panel_bytes() const noexcept { return groups() * panel_ * precision_->group * weight_bytes_; }
  const std::byte* panel(std::int64_t index) const { return values_.get() + index * panel_bytes(); }
  const float* factor(std::int64_t index) const { return factor_.data() + index * panel_; }
  const float* offset(std::int64_t index) const { return offset_.data() + index * panel_; }
  std::size_t bytes() const { return bytes_ + factor_.values().size_bytes() + offset_.values().size_bytes(); }

 private:
  const LowPrecision* precision_ = nullptr;
  std::int64_t n_ = 0, k_ = 0, panel_ = 0, weight_bytes_ = 0;
  std::size_t bytes_ = 0;
  AlignedBytes values_;
  Tensor factor_, offset_;  // by column, padded to whole panels
};

// Where sums go: rows of `n` values from value `at` of y on, with those of the residual, if any, added.
struct FinishPlace {
  const ValueView& y;
  const ConstValueView* residual;
  Epilogue epilogue;
  std::int64_t at, n;
};
// `sums`: all but what the place says.
void finish_sums(const KernelTable& table, const FinishPlace& place, FinishArguments sums);

// Whether int32 holds every sum of so many products.
constexpr bool fits_int8(std::int64_t k) { return k < (std::int64_t{1} << 31) / (std::int64_t{255} * 127); }

// Fills pointers[tap * rows + r] for rows [row, row + rows) of A.
using LowRowPointers = FunctionRef<void(std::int64_t row, std::int64_t rows, const std::byte** pointers)>;

struct LowProduct {
  const KernelTable& table;
  const LowMatrix& b;
  DType x = DType::kBf16;  // of A
  std::int64_t rows = 0;
  std::int64_t taps = 1;
  ValueView y;                               // [rows, n]
  const ConstValueView* residual = nullptr;  // like y, or null
  Epilogue epilogue;
  std::byte* row_copies = nullptr;  // row_copy_bytes() for each thread, or null to read rows where they lie
};

// Rows are copied where the tile does not read the stored type, where a tap is not a whole number of groups, or where
// rows `row_bytes` apart collide in the L1 cache.
bool must_copy_rows(const LowMatrix& b, std::int64_t taps, std::int64_t row_bytes);
std::int64_t row_copy_bytes(const KernelTable& table, const LowMatrix& b);

void multiply(const LowProduct& product, LowRowPointers pointers, ThreadPool& threads);

}  // namespace tessera::cpu
