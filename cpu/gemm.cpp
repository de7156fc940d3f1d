#include "cpu/gemm.h"

#include <algorithm>
#include <array>
#include <limits>

namespace tessera::cpu {

namespace {

// Half of the L2 cache of the smallest machine that we tune for (512 KiB) for panels of B, and an eighth of an L3 of
// 32 MiB for rows of A: both are read again for each tile.
constexpr std::int64_t kPanelBytes = 256 << 10;
constexpr std::int64_t kRowBytes = 4 << 20;
constexpr std::int64_t kTasksPerThread = 4;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// How many row tiles and panels one task takes.
struct Blocking {
  std::int64_t row_tiles, panels;
};

Blocking blocking_of(const Product& product, int threads) {
  const std::int64_t k = product.b.k();
  const std::int64_t row_tiles = ceil_div(product.rows, product.table.rows);
  const std::int64_t row_bytes = k * product.table.rows * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t panel_bytes = k * product.table.panel() * static_cast<std::int64_t>(sizeof(float));
  Blocking block{std::clamp<std::int64_t>(kRowBytes / row_bytes, 1, row_tiles),
                 std::clamp<std::int64_t>(kPanelBytes / panel_bytes, 1, product.b.panels())};
  const auto tasks = [&] { return ceil_div(row_tiles, block.row_tiles) * ceil_div(product.b.panels(), block.panels); };
  while (threads > 1 && tasks() < kTasksPerThread * threads) {
    // The larger operand is the one to be read once.
    const bool cut_rows = block.panels == 1 || (block.row_tiles > 1 && product.rows > product.b.n());
    if (cut_rows && block.row_tiles == 1) break;
    std::int64_t& count = cut_rows ? block.row_tiles : block.panels;
    count = ceil_div(count, 2);
  }
  return block;
}

}  // namespace

std::int64_t PackedMatrix::packed_floats(const KernelTable& table, std::int64_t n, std::int64_t k) {
  const std::int64_t whole = n / table.panel() * table.panel();
  const std::int64_t left = n - whole;
  return k * (whole + (left == 0 ? 0 : panel_vectors(table, left) * table.lanes));
}

void pack_panel(const float* rows, std::int64_t columns, std::int64_t k, std::int64_t stride, std::int64_t width,
                float* panel) {
  constexpr std::int64_t kDepth = 16;  // a cache line of each row at a time
  for (std::int64_t begin = 0; begin < k; begin += kDepth) {
    const std::int64_t depth = std::min(kDepth, k - begin);
    float* to = panel + begin * width;
    for (std::int64_t column = 0; column < columns; ++column) {
      const float* from = rows + column * stride + begin;
      for (std::int64_t i = 0; i < depth; ++i) to[i * width + column] = from[i];
    }
    for (std::int64_t i = 0; i < depth && columns < width; ++i) {
      std::fill(to + i * width + columns, to + (i + 1) * width, 0.0F);
    }
  }
}

PackedMatrix::PackedMatrix(const KernelTable& table, const float* rows, std::int64_t n, std::int64_t k,
                           std::int64_t stride, std::span<const float> bias)
    : n_(n), k_(k), panel_(table.panel()), values_(Shape{packed_floats(table, n, k)}),
      bias_(Tensor::zeros(Shape{ceil_div(n, table.panel()) * table.panel()})) {
  std::ranges::copy(bias, bias_.data());
  for (std::int64_t p = 0; p < panels(); ++p) {
    const std::int64_t column = p * panel_;
    const std::int64_t columns = std::min(panel_, n - column);
    pack_panel(rows + column * stride, columns, k, stride, panel_vectors(table, columns) * table.lanes,
               values_.data() + column * k);
  }
}

Epilogue make_epilogue(ActivationKind activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case ActivationKind::kRelu:
      return {0.0F, kInfinity, ActivationKind::kNone};
    case ActivationKind::kRelu6:
      return {0.0F, 6.0F, ActivationKind::kNone};
    default:
      return {-kInfinity, kInfinity, activation};
  }
}

void multiply_block(const Product& product, RowPointers pointers, std::int64_t row, std::int64_t row_end,
                    std::int64_t panel, std::int64_t panel_end) {
  const KernelTable& table = product.table;
  const std::int64_t tiles = ceil_div(row_end - row, table.rows);
  std::array<const float*, kMostTaps * kMostRows> a;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  TileArguments tile{.a = a.data(),
                     .taps = product.taps,
                     .k = product.b.k() / product.taps,
                     .stride = product.stride,
                     .low = product.epilogue.low,
                     .high = product.epilogue.high};
  for (std::int64_t t = 0; t < tiles; ++t) {
    // Tiles of almost equal height: 197 rows are 15 tiles of 13 or 14, not 14 of 14 and one of 1.
    const std::int64_t first = row + t * (row_end - row) / tiles;
    const std::int64_t rows = row + (t + 1) * (row_end - row) / tiles - first;
    pointers(first, rows, a.data());
    for (std::int64_t p = panel; p < panel_end; ++p) {
      const std::int64_t column = p * table.panel();
      const std::int64_t at = first * product.stride + column;
      tile.columns = std::min<std::int64_t>(table.panel(), product.b.n() - column);
      tile.b = product.b.panel(p);
      tile.bias = product.b.bias(p);
      tile.c = product.c + at;
      tile.residual = product.residual == nullptr ? nullptr : product.residual + at;
      const auto vectors = static_cast<std::size_t>(panel_vectors(table, tile.columns));
      table.tile[vectors - 1][static_cast<std::size_t>(rows) - 1](tile);
      if (product.epilogue.after != ActivationKind::kNone) {
        table.activate(product.epilogue.after, tile.c, rows, tile.columns, product.stride);
      }
    }
  }
}

void multiply(const Product& product, RowPointers pointers, ThreadPool& threads) {
  const Blocking block = blocking_of(product, threads.threads());
  const std::int64_t row_tiles = ceil_div(product.rows, product.table.rows);
  const std::int64_t row_blocks = ceil_div(row_tiles, block.row_tiles);
  const std::int64_t panel_blocks = ceil_div(product.b.panels(), block.panels);
  threads.for_each(row_blocks * panel_blocks, [&](std::int64_t task, int) {
    // Neighbouring tasks share their rows of A.
    const std::int64_t row_block = task / panel_blocks, panel = task % panel_blocks * block.panels;
    multiply_block(product, pointers, row_block * product.rows / row_blocks,
                   (row_block + 1) * product.rows / row_blocks, panel,
                   std::min(panel + block.panels, product.b.panels()));
  });
}

}  // namespace tessera::cpu
