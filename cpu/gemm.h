#pragma once
// C = A * B + bias, clamped, with B packed once at load: what linear layers, convolutions, patch embedding and (on
// parts of it) Winograd and attention are made of. Private to cpu/.

#include <cstdint>
#include <span>

#include "core/function_ref.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "cpu/blocking.h"
#include "cpu/kernels.h"

namespace tessera::cpu {

// B [K, N] cut into panels of table.panel() columns, each [K][columns] and padded with zeros; a last panel of at most
// one vector is one vector wide. The bias is padded alike.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // `rows` is B transposed, [N, K] with `stride` between rows: a layer's weight as PyTorch keeps it. `bias` [N] or
  // empty.
  PackedMatrix(const KernelTable& table, const float* rows, std::int64_t n, std::int64_t k, std::int64_t stride,
               std::span<const float> bias);
  // Floats that the panels of such a matrix take.
  static std::int64_t packed_floats(const KernelTable& table, std::int64_t n, std::int64_t k);

  std::int64_t n() const noexcept { return n_; }
  std::int64_t k() const noexcept { return k_; }
  std::int64_t panels() const noexcept { return ceil_div(n_, panel_); }
  const float* panel(std::int64_t index) const { return values_.data() + index * panel_ * k_; }
  const float* bias(std::int64_t index) const { return bias_.data() + index * panel_; }
  std::size_t bytes() const { return values_.values().size_bytes() + bias_.values().size_bytes(); }

 private:
  std::int64_t n_ = 0, k_ = 0, panel_ = 0;
  Tensor values_, bias_;
};

// Vectors that a panel with so many columns left takes.
inline std::int64_t panel_vectors(const KernelTable& table, std::int64_t columns) {
  return columns > table.lanes ? 2 : 1;
}

// Transposes [columns, k] (rows `stride` apart) into one panel [k][width], padded with zeros.
void pack_panel(const float* rows, std::int64_t columns, std::int64_t k, std::int64_t stride, std::int64_t width,
                float* panel);

// What happens to a sum before it is stored.
struct Epilogue {
  float low = 0, high = 0;                       // the clamp: that of ReLU or ReLU6, or none (infinite)
  ActivationKind after = ActivationKind::kNone;  // any other activation
};
Epilogue make_epilogue(ActivationKind activation);

// Fills pointers[tap * rows + r] for rows [row, row + rows) of A.
using RowPointers = FunctionRef<void(std::int64_t row, std::int64_t rows, const float** pointers)>;
constexpr std::int64_t kMostTaps = 64;

struct Product {
  const KernelTable& table;
  const PackedMatrix& b;
  std::int64_t rows = 0;  // of A and C
  std::int64_t taps = 1;  // parts that a row of A is in, each b.k() / taps long
  float* c = nullptr;     // [rows, n]
  std::int64_t stride = 0;
  const float* residual = nullptr;  // like c, or null
  Epilogue epilogue;
  // Scratch of row_copy_floats() for each thread, or null to read rows where they lie.
  float* row_copies = nullptr;
};

// Rows of A that lie a multiple of 4 KiB apart have their k-th values in the same eight lines of the L1 cache (32 KiB,
// 8 ways), and more than eight rows push each other out. Such tiles are copied to rows that do not, a part at a time,
// before several panels are multiplied with them.
bool rows_collide(std::int64_t row_bytes);
std::int64_t row_copy_floats(const KernelTable& table);

// Rows [row, row_end) times panels [panel, panel_end), by thread `thread` of the pool.
void multiply_block(const Product& product, RowPointers pointers, std::int64_t row, std::int64_t row_end,
                    std::int64_t panel, std::int64_t panel_end, int thread = 0);
// All of it.
void multiply(const Product& product, RowPointers pointers, ThreadPool& threads);

}  // namespace tessera::cpu
