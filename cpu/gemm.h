#pragma once
// C = A * B + bias, clamped, with B packed once at load. Linear layers, convolutions and patch embedding are such
// products; Winograd and attention use its tile. Private to cpu/.
//
// The tile reads A in one of two ways: through pointers to rows, which lie where they are or point into a picture
// (indirection), or in lines, [K / 16][rows][16], the order in which it reads them. Winograd's transform and
// attention's scores are written in lines. Other rows are copied to lines where the weights exceed the L2 cache or
// where the rows collide in the L1 cache (lines_pay()).
//
// What comes next is fetched while something is multiplied. With weights beyond the L2 cache only the first of some
// tiles waits for memory, and it waits for a whole panel. So each tile fetches its share of the next panel, some bytes
// for each value of K; where the weights stay in the cache, it fetches the rows of C that the next tile writes. With
// 176 GFLOP/s and 17 GB/s for a core this takes a third off ResNet-50's last stage.
//
// Threads share weights, not copies. A copied row that one core writes and another reads costs more than making it
// twice, and rows that a thread wrote are in its own cache for the next layer. So each thread takes rows of its own
// where there are 80 for each, and copies for itself what it needs of the other rows.

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
  // Without a bias, to be filled panel by panel.
  PackedMatrix(const KernelTable& table, std::int64_t n, std::int64_t k);
  // Fills a panel from its columns of B, rows `stride` apart.
  void pack(const KernelTable& table, std::int64_t panel, const float* rows, std::int64_t stride);
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

// The operations on a sum before it is stored.
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
  // Scratch of line_floats(): rows are copied into it in lines. Null: they are read where they lie.
  float* lines = nullptr;
  // The operand of the next product, fetched towards the end; or null.
  const float* next = nullptr;
};

// Rows of A that lie a multiple of 4 KiB apart have their k-th values in the same eight lines of the L1 cache (32 KiB,
// 8 ways), and more than eight rows push each other out.
bool rows_collide(std::int64_t row_bytes);
// Whether rows should be copied into lines before they are multiplied: where they collide; where they are read more
// often than the weights, which exceed the L2 cache; or where the output exceeds it, since the next tile's part can
// then be fetched meanwhile.
bool lines_pay(std::int64_t rows, std::int64_t n, std::int64_t k, std::int64_t row_bytes);
// The scratch for products of up to so many rows.
std::int64_t line_floats(const KernelTable& table, std::int64_t rows, std::int64_t n, std::int64_t k, int threads);

// All of it.
void multiply(const Product& product, RowPointers pointers, ThreadPool& threads);
// All of it by one thread, whose scratch `lines` is, if any.
void multiply(const Product& product, RowPointers pointers);

// Rows that are already in lines, cut by RowTiles: `lines` is [rows, whole lines of K] floats, each tile [K /
// kLine][rows of the tile][kLine].
void multiply_lines(const Product& product, const float* lines);
inline std::int64_t whole_lines(std::int64_t k) { return ceil_div(k, kLine) * kLine; }
// Copies `length` values of a row of such a tile, from value `at` on; `to` is the row's first line.
void copy_to_lines(const float* from, std::int64_t length, std::int64_t at, std::int64_t rows, float* to);

}  // namespace tessera::cpu
