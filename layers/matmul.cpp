#include "layers/matmul.h"

#include <algorithm>

#include "layers/eigen.h"

namespace tessera {

namespace {

struct Tiling {
  std::int64_t rows, columns;
};

// Many rows (early convolutions): tiles of rows, with all of B small beside them. Few rows (transformers, late
// convolutions): all rows at once and B cut into at least four parts, so that each weight is packed by Eigen once.
Tiling tiling(std::int64_t m, std::int64_t n) {
  constexpr std::int64_t kManyRows = 1024, kTileRows = 256, kMinColumns = 64, kMaxColumns = 256;
  if (m >= kManyRows) return {kTileRows, std::min<std::int64_t>(n, 2 * kMaxColumns)};
  const std::int64_t quarter = (n + 3) / 4;
  return {m, std::clamp((quarter + 15) / 16 * 16, kMinColumns, kMaxColumns)};
}

// C tile += epilogue, while the tile is still in cache.
void finish(const Matmul& product, std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
  const MatmulEpilogue& epilogue = product.epilogue;
  for (std::int64_t r = row; r < row + rows; ++r) {
    float* out = product.c + r * product.c_stride + column;
    ArrayMap values(out, columns);
    if (epilogue.bias != nullptr) values += ConstArrayMap(epilogue.bias + column, columns);
    if (epilogue.residual != nullptr) {
      values += ConstArrayMap(epilogue.residual + r * product.c_stride + column, columns);
    }
    activate(epilogue.activation, {out, static_cast<std::size_t>(columns)});
  }
}

}  // namespace

std::int64_t matmul_tile_rows(std::int64_t m) { return tiling(m, 1).rows; }

void matmul(const Matmul& product, MatmulRows rows, float* buffers, ThreadPool& threads) {
  const Tiling tile = tiling(product.m, product.n);
  const std::int64_t column_tiles = (product.n + tile.columns - 1) / tile.columns;
  const std::int64_t row_tiles = (product.m + tile.rows - 1) / tile.rows;
  threads.for_each(row_tiles * column_tiles, [&](std::int64_t index, int thread) {
    const std::int64_t row = index / column_tiles * tile.rows;
    const std::int64_t column = index % column_tiles * tile.columns;
    const std::int64_t row_count = std::min(tile.rows, product.m - row);
    const std::int64_t column_count = std::min(tile.columns, product.n - column);
    float* buffer = buffers == nullptr ? nullptr : buffers + thread * tile.rows * product.k;
    std::int64_t a_stride = product.k;
    const float* a_rows = rows(row, row_count, buffer, a_stride);
    const ConstMatrixMap a(a_rows, row_count, product.k, Eigen::OuterStride<>(a_stride));
    const ConstMatrixMap b(product.b + column * product.k, column_count, product.k, Eigen::OuterStride<>(product.k));
    MatrixMap c(product.c + row * product.c_stride + column, row_count, column_count,
                Eigen::OuterStride<>(product.c_stride));
    c.noalias() = a * b.transpose();
    finish(product, row, row_count, column, column_count);
  });
}

}  // namespace tessera
