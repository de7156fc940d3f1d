#include "cpu/gemm.h"

#include <algorithm>
#include <array>
#include <limits>

namespace tessera::cpu {

namespace {

// A product is done in parts of at most so many of the K values of a sum (sums go on from C): a tile's rows then stay
// in the L1 cache while several panels pass.
constexpr std::int64_t kDepth = 768;

// A part of the sums: values [begin, end) of K.
struct Depth {
  std::int64_t begin, end;
};

// K cut into equal parts that fit kDepth. Rows in several parts (taps) that are not copied are cut between parts only,
// or within each where one is too long.
std::int64_t depth_step(const Product& product) {
  const std::int64_t k = product.b.k(), tap = k / product.taps;
  const auto equal_parts = [](std::int64_t length) { return ceil_div(length, ceil_div(length, kDepth)); };
  if (product.row_copies != nullptr || product.taps == 1) return equal_parts(k);
  return tap >= kDepth ? equal_parts(tap) : tap * ceil_div(product.taps, ceil_div(product.taps * tap, kDepth));
}
Depth depth_at(const Product& product, std::int64_t begin) {
  const std::int64_t step = depth_step(product), k = product.b.k(), tap = k / product.taps;
  const bool within_tap = product.row_copies == nullptr && step < tap;
  const std::int64_t limit = within_tap ? (begin / tap + 1) * tap : k;
  return {begin, std::min(begin + step, limit)};
}

// Rows of a copied part lie so many floats apart: not a multiple of 4 KiB.
constexpr std::int64_t kCopyStride = kDepth + 16;

// Copies a part of the tile's rows, in however many taps, and points `part` at the copies.
void copy_rows(const float* const* a, std::int64_t rows, std::int64_t tap_length, Depth depth, float* to,
               const float** part) {
  for (std::int64_t r = 0; r < rows; ++r) {
    part[r] = to + r * kCopyStride;
    float* at = to + r * kCopyStride;
    for (std::int64_t k = depth.begin; k < depth.end;) {
      const std::int64_t tap = k / tap_length, offset = k % tap_length;
      const std::int64_t length = std::min(tap_length - offset, depth.end - k);
      at = std::copy_n(a[tap * rows + r] + offset, length, at);
      k += length;
    }
  }
}

}  // namespace

bool rows_collide(std::int64_t row_bytes) {
  constexpr std::int64_t kAlias = 4096;
  return row_bytes % kAlias == 0;
}

std::int64_t row_copy_floats(const KernelTable& table) { return table.rows * kCopyStride; }

std::int64_t PackedMatrix::packed_floats(const KernelTable& table, std::int64_t n, std::int64_t k) {
  const std::int64_t whole = n / table.panel() * table.panel();
  const std::int64_t left = n - whole;
  return k * (whole + (left == 0 ? 0 : panel_vectors(table, left) * table.lanes));
}

void pack_panel(const float* rows, std::int64_t columns, std::int64_t k, std::int64_t stride, std::int64_t width,
                float* panel) {
  constexpr std::int64_t kLine = 16;  // a cache line of each row at a time
  for (std::int64_t begin = 0; begin < k; begin += kLine) {
    const std::int64_t depth = std::min(kLine, k - begin);
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
    : n_(n),
      k_(k),
      panel_(table.panel()),
      values_(Shape{packed_floats(table, n, k)}),
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

namespace {

// One tile of rows, one part of the sums, some panels. `tile` has A.
void multiply_panels(const Product& product, TileArguments tile, std::int64_t row, std::int64_t rows, Depth depth,
                     std::int64_t panel, std::int64_t panel_end) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const KernelTable& table = product.table;
  const bool first = depth.begin == 0, last = depth.end == product.b.k();
  tile.low = last ? product.epilogue.low : -kInfinity;
  tile.high = last ? product.epilogue.high : kInfinity;
  for (std::int64_t p = panel; p < panel_end; ++p) {
    const std::int64_t column = p * table.panel();
    const std::int64_t at = row * product.stride + column;
    tile.columns = std::min<std::int64_t>(table.panel(), product.b.n() - column);
    const std::int64_t vectors = panel_vectors(table, tile.columns);
    tile.b = product.b.panel(p) + depth.begin * vectors * table.lanes;
    tile.bias = first ? product.b.bias(p) : nullptr;
    tile.c = product.c + at;
    tile.residual = last && product.residual != nullptr ? product.residual + at : nullptr;
    table.tile[static_cast<std::size_t>(vectors) - 1][static_cast<std::size_t>(rows) - 1](tile);
    if (last && product.epilogue.after != ActivationKind::kNone) {
      table.activate(product.epilogue.after, tile.c, rows, tile.columns, product.stride);
    }
  }
}

}  // namespace

void multiply_block(const Product& product, RowPointers pointers, std::int64_t row, std::int64_t row_end,
                    std::int64_t panel, std::int64_t panel_end, int thread) {
  const KernelTable& table = product.table;
  const std::int64_t k = product.b.k(), tap_length = k / product.taps;
  const std::int64_t tiles = ceil_div(row_end - row, table.rows);
  float* copies = product.row_copies == nullptr ? nullptr : product.row_copies + thread * row_copy_floats(table);
  std::array<const float*, kMostTaps * kMostRows> a;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  std::array<const float*, kMostRows> part{};
  Depth depth = depth_at(product, 0);
  for (; depth.begin < k; depth = depth_at(product, depth.end)) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const auto [first, rows] = row_tile(row, row_end, tiles, t);
      pointers(first, rows, a.data());
      TileArguments tile{.a = part.data(), .k = depth.end - depth.begin, .stride = product.stride};
      const std::int64_t tap = depth.begin / tap_length, offset = depth.begin % tap_length;
      if (copies != nullptr) {
        copy_rows(a.data(), rows, tap_length, depth, copies, part.data());
      } else if (offset == 0) {
        tile.a = a.data() + tap * rows;
        tile.taps = ceil_div(tile.k, tap_length);
        tile.k /= tile.taps;
      } else {
        for (std::int64_t r = 0; r < rows; ++r)
          part[static_cast<std::size_t>(r)] = a[static_cast<std::size_t>(tap * rows + r)] + offset;
      }
      multiply_panels(product, tile, first, rows, depth, panel, panel_end);
    }
  }
}

void multiply(const Product& product, RowPointers pointers, ThreadPool& threads) {
  constexpr std::int64_t kBytes = sizeof(float);
  const BlockingRequest request{.rows = product.rows,
                                .columns = product.b.n(),
                                .tile_rows = product.table.rows,
                                .panels = product.b.panels(),
                                .row_tile_bytes = product.b.k() * product.table.rows * kBytes,
                                .panel_bytes = depth_step(product) * product.table.panel() * kBytes};
  for_each_block(request, threads, [&](const Block& block, int thread) {
    multiply_block(product, pointers, block.row, block.row_end, block.panel, block.panel_end, thread);
  });
}

}  // namespace tessera::cpu
