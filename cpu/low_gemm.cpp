#include "cpu/low_gemm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

namespace tessera::cpu {

namespace {

constexpr int kLargestWeight = 127;  // of int8: symmetric, without -128

// Writes one value of column `column` of a panel.
template <class Weight>
struct PanelWriter {
  std::byte* panel;
  std::int64_t width, group;
  void operator()(std::int64_t k, std::int64_t column, Weight value) const {
    const std::int64_t at = (k / group * width + column) * group + k % group;
    std::memcpy(panel + at * static_cast<std::int64_t>(sizeof(Weight)), &value, sizeof(Weight));
  }
};

}  // namespace

Int8Column quantise_column(std::span<const float> weights, std::int8_t* to, bool pairs) {
  float largest = 0;
  for (const float weight : weights) largest = std::max(largest, std::abs(weight));
  // Two weights that come to 127 steps come to 128 at most when each is rounded.
  for (std::size_t i = 0; pairs && i + 1 < weights.size(); i += 2) {
    if (std::signbit(weights[i]) == std::signbit(weights[i + 1])) {
      largest = std::max(largest, std::abs(weights[i] + weights[i + 1]));
    }
  }
  const float scale = largest > 0 ? largest / kLargestWeight : 1.0F;
  std::int64_t sum = 0;
  for (const float weight : weights) {
    const float steps = std::clamp<float>(std::nearbyint(weight / scale), -kLargestWeight, kLargestWeight);
    *to = static_cast<std::int8_t>(steps);
    sum += *to++;
  }
  return {scale, sum};
}

LowMatrix::LowMatrix(const KernelTable& table, const ValueType& x, const float* rows, std::int64_t n, std::int64_t k,
                     std::span<const float> bias)
    : precision_(x.dtype == DType::kU8 ? &table.int8 : &table.bf16),
      n_(n),
      k_(k),
      panel_(table.panel()),
      weight_bytes_(x.dtype == DType::kU8 ? 1 : 2),
      bytes_(static_cast<std::size_t>(panels() * panel_bytes())),
      values_(allocate_aligned(bytes_)),
      factor_(Tensor::zeros({panels() * panel_})),
      offset_(Tensor::zeros({panels() * panel_})) {
  std::fill_n(values_.get(), bytes_, std::byte{0});
  std::ranges::copy(bias, offset_.data());
  std::vector<std::int8_t> integers(static_cast<std::size_t>(k));
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(k));
  for (std::int64_t column = 0; column < n; ++column) {
    const std::int64_t panel = column / panel_;
    const std::int64_t width = panel_vectors(table, std::min(panel_, n - panel * panel_)) * table.lanes;
    std::byte* to = values_.get() + panel * panel_bytes();
    const std::span<const float> weights(rows + column * k, static_cast<std::size_t>(k));
    if (x.dtype == DType::kU8) {
      const Int8Column quantised = quantise_column(weights, integers.data(), precision_->pairs);
      const float factor = x.scale * quantised.scale;
      factor_.data()[column] = factor;
      offset_.data()[column] -= factor * static_cast<float>(x.zero * quantised.sum);
      const PanelWriter<std::int8_t> write{to, width, precision_->group};
      for (std::int64_t i = 0; i < k; ++i) write(i, column % panel_, integers[static_cast<std::size_t>(i)]);
    } else {
      table.encode(weights.data(), reinterpret_cast<std::byte*>(halves.data()), {.dtype = DType::kBf16}, k);
      const PanelWriter<std::uint16_t> write{to, width, precision_->group};
      for (std::int64_t i = 0; i < k; ++i) write(i, column % panel_, halves[static_cast<std::size_t>(i)]);
    }
  }
}

void finish_sums(const KernelTable& table, const FinishPlace& place, FinishArguments sums) {
  sums.residual_step = sums.y_step = place.n;
  sums.y = place.y.at(place.at);
  sums.y_type = place.y.type();
  sums.low = place.epilogue.low;
  sums.high = place.epilogue.high;
  sums.activation = place.epilogue.after;
  if (place.residual != nullptr) {
    sums.residual = place.residual->at(place.at);
    sums.residual_type = place.residual->type();
  }
  table.finish(sums);
}

namespace {

// A copied row, padded to whole groups, and so far from the next that they do not meet in the L1 cache.
std::int64_t copy_stride(const LowMatrix& b) {
  constexpr std::int64_t kLine = 64;
  const LowPrecision& precision = b.precision();
  const std::int64_t bytes = b.groups() * precision.group * precision.row_bytes;
  const std::int64_t rounded = ceil_div(bytes, kLine) * kLine;
  return rows_collide(rounded) ? rounded + kLine : rounded;
}

// Copies `count` values to the type that the tile reads.
void copy_values(const LowProduct& product, const std::byte* from, std::int64_t count, std::byte* to) {
  const LowPrecision& precision = product.b.precision();
  if (precision.direct) {
    std::memcpy(to, from, static_cast<std::size_t>(count * precision.row_bytes));
  } else {
    product.table.decode(from, {.dtype = DType::kBf16}, reinterpret_cast<float*>(to), count);
  }
}

// Puts the parts of each row side by side and points `copied` at the rows.
void copy_rows(const LowProduct& product, const std::byte* const* a, std::int64_t rows, std::byte* to,
               const std::byte** copied) {
  const LowMatrix& b = product.b;
  const std::int64_t tap_length = b.k() / product.taps, stride = copy_stride(b), value = b.precision().row_bytes;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::byte* at = to + r * stride;
    copied[r] = at;
    for (std::int64_t tap = 0; tap < product.taps; ++tap, at += tap_length * value) {
      copy_values(product, a[tap * rows + r], tap_length, at);
    }
    std::fill(at, to + r * stride + b.groups() * b.precision().group * value, std::byte{0});
  }
}

// What the tiles of a product share that turn sums into values themselves; nothing where they cannot.
std::optional<TileFinish> tile_finish(const LowProduct& product) {
  const bool residual_fits = product.residual == nullptr || product.residual->type().dtype == product.x;
  if (!product.b.precision().finishes || product.y.type().dtype != product.x || !residual_fits ||
      product.epilogue.after != ActivationKind::kNone) {
    return std::nullopt;
  }
  TileFinish finish{.low = product.epilogue.low, .high = product.epilogue.high, .step = product.b.n()};
  if (product.x != DType::kU8) return finish;
  const ValueType& type = product.y.type();
  finish.out = 1.0F / type.scale;
  finish.zero = static_cast<float>(type.zero);
  finish.low = std::max(0.0F, finish.low * finish.out + finish.zero);
  finish.high = std::min(255.0F, finish.high * finish.out + finish.zero);
  if (product.residual != nullptr) {
    finish.residual_factor = product.residual->type().scale * finish.out;
    finish.residual_zero = static_cast<float>(product.residual->type().zero);
  }
  return finish;
}

// One tile of rows, some panels. `tile` has A.
void multiply_panels(const LowProduct& product, LowTileArguments tile, std::int64_t row, std::int64_t rows,
                     std::int64_t panel, std::int64_t panel_end) {
  const KernelTable& table = product.table;
  const LowMatrix& b = product.b;
  alignas(64) std::array<float, static_cast<std::size_t>(kMostRows * kMostPanel)> sums;  // NOLINT: filled by the tile
  tile.sums = sums.data();
  std::optional<TileFinish> finish = tile_finish(product);
  for (std::int64_t p = panel; p < panel_end; ++p) {
    const std::int64_t column = p * table.panel();
    const std::int64_t columns = std::min<std::int64_t>(table.panel(), b.n() - column);
    const auto vectors = static_cast<std::size_t>(panel_vectors(table, columns));
    tile.b = b.panel(p);
    const std::int64_t at = row * b.n() + column;
    const bool whole = columns == static_cast<std::int64_t>(vectors) * table.lanes;
    tile.finish = finish && whole ? &*finish : nullptr;
    if (tile.finish != nullptr) {
      finish->factor = b.factor(p);
      finish->offset = b.offset(p);
      finish->y = product.y.at(at);
      if (product.residual != nullptr) finish->residual = product.residual->at(at);
    }
    b.precision().tile[vectors - 1][static_cast<std::size_t>(rows) - 1](tile);
    if (tile.finish != nullptr) continue;
    finish_sums(table, {product.y, product.residual, product.epilogue, at, b.n()},
                {.sums = sums.data(),
                 .integers = product.x == DType::kU8,
                 .rows = rows,
                 .columns = columns,
                 .step = table.panel(),
                 .factor = b.factor(p),
                 .offset = b.offset(p)});
  }
}

void multiply_block(const LowProduct& product, LowRowPointers pointers, const Block& block, int thread) {
  const LowMatrix& b = product.b;
  const RowTiles tiles(block.row_end - block.row, product.table.rows);
  std::array<const std::byte*, kMostTaps * kMostRows>
      a;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  std::array<const std::byte*, kMostRows> copied{};
  for (std::int64_t t = 0; t < tiles.count(); ++t) {
    const std::int64_t first = block.row + tiles[t].first, rows = tiles[t].rows;
    pointers(first, rows, a.data());
    LowTileArguments tile;
    if (product.row_copies != nullptr) {
      copy_rows(product, a.data(), rows, product.row_copies + thread * row_copy_bytes(product.table, b), copied.data());
      tile = {.a = copied.data(), .groups = b.groups()};
    } else {
      tile = {.a = a.data(), .taps = product.taps, .groups = b.groups() / product.taps};
    }
    multiply_panels(product, tile, first, rows, block.panel, block.panel_end);
  }
}

}  // namespace

bool must_copy_rows(const LowMatrix& b, std::int64_t taps, std::int64_t row_bytes) {
  return !b.precision().direct || b.k() / taps % b.precision().group != 0 || rows_collide(row_bytes);
}

std::int64_t row_copy_bytes(const KernelTable& table, const LowMatrix& b) { return table.rows * copy_stride(b); }

void multiply(const LowProduct& product, LowRowPointers pointers, ThreadPool& threads) {
  const LowMatrix& b = product.b;
  const BlockingRequest request{.rows = product.rows,
                                .columns = b.n(),
                                .tile_rows = product.table.rows,
                                .panels = b.panels(),
                                .row_tile_bytes = product.table.rows * b.k() * b.precision().row_bytes,
                                .panel_bytes = b.panel_bytes()};
  for_each_block(request, threads,
                 [&](const Block& block, int thread) { multiply_block(product, pointers, block, thread); });
}

}  // namespace tessera::cpu
