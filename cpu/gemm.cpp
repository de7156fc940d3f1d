#include "cpu/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace tessera::cpu {

std::int64_t PackedMatrix::packed_floats(const KernelTable& table, std::int64_t n, std::int64_t k) {
  const std::int64_t whole = n / table.panel() * table.panel();
  const std::int64_t left = n - whole;
  return k * (whole + (left == 0 ? 0 : panel_vectors(table, left) * table.lanes));
}

PackedMatrix::PackedMatrix(const KernelTable& table, const float* rows, std::int64_t n, std::int64_t k,
                           std::int64_t stride, std::span<const float> bias)
    : PackedMatrix(table, n, k) {
  std::ranges::copy(bias, bias_.data());
  for (std::int64_t p = 0; p < panels(); ++p) pack(table, p, rows + p * panel_ * stride, stride);
}

PackedMatrix::PackedMatrix(const KernelTable& table, std::int64_t n, std::int64_t k)
    : n_(n),
      k_(k),
      panel_(table.panel()),
      values_(Shape{packed_floats(table, n, k)}),
      bias_(Tensor::zeros(Shape{ceil_div(n, table.panel()) * table.panel()})) {}

void PackedMatrix::pack(const KernelTable& table, std::int64_t panel, const float* rows, std::int64_t stride) {
  const std::int64_t column = panel * panel_, columns = std::min(panel_, n_ - column);
  const std::int64_t width = panel_vectors(table, columns) * table.lanes;
  const auto values =
      values_.values().subspan(static_cast<std::size_t>(column * k_), static_cast<std::size_t>(width * k_));
  expect_writes(std::as_writable_bytes(values));
  table.pack_panel(rows, columns, k_, stride, width, values.data());
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

bool rows_collide(std::int64_t row_bytes) {
  constexpr std::int64_t kAlias = 4096;
  return row_bytes % kAlias == 0;
}

bool lines_pay(std::int64_t rows, std::int64_t n, std::int64_t k, std::int64_t row_bytes) {
  constexpr std::int64_t kBytes = sizeof(float), kMuchWider = 4;
  const bool b_stays = n * k * kBytes <= cache_for_reuse(), c_stays = rows * n * kBytes <= 2 * cache_for_reuse();
  constexpr std::int64_t kWays = 8;  // of the L1 cache
  if (rows <= kWays) return false;
  return rows_collide(row_bytes) || !b_stays || (!c_stays && n >= kMuchWider * k);
}

void copy_to_lines(const float* from, std::int64_t length, std::int64_t at, std::int64_t rows, float* to) {
  while (length > 0) {
    float* line = to + at / kLine * rows * kLine + at % kLine;
    const std::int64_t count = std::min(length, kLine - at % kLine);
    if (count == kLine) {
      std::memcpy(line, from, kLine * sizeof(float));
    } else {
      std::copy_n(from, count, line);
    }
    from += count;
    at += count;
    length -= count;
  }
}

namespace {

// What the tiles of a product have in common, where they are a part of its sums: the first or the last one, or both.
TileArguments common_arguments(const Product& product, bool last) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {.stride = product.stride,
          .low = last ? product.epilogue.low : -kInfinity,
          .high = last ? product.epilogue.high : kInfinity};
}

// One tile of rows times one panel. `tile` has A, its part of B, what is common, and what is fetched meanwhile.
struct TilePlace {
  std::int64_t row, rows, panel;
};
void multiply_tile(const Product& product, const TilePlace& place, bool first, bool last, TileArguments& tile) {
  const KernelTable& table = product.table;
  const std::int64_t column = place.panel * table.panel(), at = place.row * product.stride + column;
  tile.columns = std::min<std::int64_t>(table.panel(), product.b.n() - column);
  tile.bias = first ? product.b.bias(place.panel) : nullptr;
  tile.c = product.c + at;
  tile.residual = last && product.residual != nullptr ? product.residual + at : nullptr;
  const auto& tiles = tile.lines != nullptr ? table.line_tile : table.tile;
  const auto vectors = static_cast<std::size_t>(panel_vectors(table, tile.columns));
  tiles[vectors - 1][static_cast<std::size_t>(place.rows) - 1](tile);
  if (last && product.epilogue.after != ActivationKind::kNone) {
    table.activate(product.epilogue.after, tile.c, place.rows, tile.columns, product.stride);
  }
}

// Rows where they lie.
void multiply_block(const Product& product, RowPointers pointers, const Block& block) {
  const RowTiles tiles(block.row_end - block.row, product.table.rows);
  std::array<const float*, kMostTaps * kMostRows> a;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  TileArguments tile = common_arguments(product, true);
  tile.a = a.data();
  tile.taps = product.taps;
  tile.k = product.b.k() / product.taps;
  for (std::int64_t t = 0; t < tiles.count(); ++t) {
    const std::int64_t first = block.row + tiles[t].first, rows = tiles[t].rows;
    pointers(first, rows, a.data());
    for (std::int64_t p = block.panel; p < block.panel_end; ++p) {
      tile.b = product.b.panel(p);
      multiply_tile(product, {first, rows, p}, true, true, tile);
    }
  }
}

// A product of rows in lines is done in parts of at most so many of the K values of a sum (sums go on from C): a
// panel's part and the rows' parts then stay in the L2 cache.
constexpr std::int64_t kMostDepth = 768;

// A part of the sums: values [begin, begin + length) of K. All but the last are whole lines.
struct Depth {
  std::int64_t begin, length;
};
std::int64_t depth_parts(std::int64_t k) { return ceil_div(k, kMostDepth); }
std::int64_t depth_step(std::int64_t k) { return whole_lines(ceil_div(k, depth_parts(k))); }
Depth depth_part(std::int64_t k, std::int64_t part) {
  const std::int64_t begin = part * depth_step(k);
  return {begin, std::min(depth_step(k), k - begin)};
}

// Rows [row, row + rows) of A, whose part of the sums is in lines.
struct Chunk {
  std::int64_t row;
  RowTiles tiles;
  Depth depth;
  const float* lines;

  const float* lines_of(const RowTile& tile) const { return lines + tile.first * whole_lines(depth.length); }
};

// Rows of which a part stays in the L2 cache beside that of a panel.
std::int64_t most_chunk_rows(const KernelTable& table, std::int64_t k) {
  const std::int64_t row_bytes = depth_step(k) * static_cast<std::int64_t>(sizeof(float));
  return std::max<std::int64_t>(2, cache_for_reuse() / row_bytes / table.rows) * table.rows;
}
// Rows that one thread does at a time. Where all of B stays in its L2 cache, a tile: its rows of C are then written
// side by side. Otherwise as many as can be, since all of B is read for each chunk.
std::int64_t own_chunk_rows(const KernelTable& table, std::int64_t n, std::int64_t k) {
  const bool b_stays = n * k * static_cast<std::int64_t>(sizeof(float)) <= cache_for_reuse();
  return b_stays ? table.rows : most_chunk_rows(table, k);
}

// Copies the rows of a chunk to `lines`, where it has them.
void copy_rows(const Product& product, RowPointers pointers, const Chunk& chunk, float* lines) {
  const Depth& depth = chunk.depth;
  const std::int64_t tap_length = product.b.k() / product.taps;
  std::array<const float*, kMostTaps * kMostRows> a;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (std::int64_t t = 0; t < chunk.tiles.count(); ++t) {
    const RowTile tile = chunk.tiles[t];
    pointers(chunk.row + tile.first, tile.rows, a.data());
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      float* to = lines + tile.first * whole_lines(depth.length) + r * kLine;
      for (std::int64_t at = 0; at < depth.length;) {
        const std::int64_t tap = (depth.begin + at) / tap_length, offset = (depth.begin + at) % tap_length;
        const std::int64_t length = std::min(tap_length - offset, depth.length - at);
        copy_to_lines(a[static_cast<std::size_t>(tap * tile.rows + r)] + offset, length, at, tile.rows, to);
        at += length;
      }
    }
  }
}

// Where part of panel `p` begins.
const float* panel_part(const Product& product, const Depth& depth, std::int64_t p) {
  const std::int64_t columns = product.b.n() - p * product.table.panel();
  return product.b.panel(p) + depth.begin * panel_vectors(product.table, columns) * product.table.lanes;
}

// What is multiplied after panel `p`, the last of which is panel_end - 1.
const float* following_part(const Product& product, const Depth& depth, std::int64_t panel, std::int64_t p) {
  if (p + 1 < product.b.panels()) return panel_part(product, depth, p + 1);
  const std::int64_t end = depth.begin + depth.length;
  return end == product.b.k() ? product.next : panel_part(product, {end, 0}, panel);
}

// The `index`-th of `parts` equal parts of `floats` values, fetched in `steps` steps.
Ahead share(const float* values, std::int64_t floats, std::int64_t index, std::int64_t parts, std::int64_t steps) {
  if (values == nullptr) return {};
  const std::int64_t bytes = floats * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t step = ceil_div(bytes, parts * steps);
  return {reinterpret_cast<const std::byte*>(values) + index * step * steps, step};
}

// What the only tile of a chunk fetches under the `index`-th of `panels` panels: the next one's rows of C, and, where
// there is a residual, under the second half of them its rows.
Ahead share_of_next_rows(const Product& product, const RowTile& tile, std::int64_t at, std::int64_t index,
                         std::int64_t panels, std::int64_t depth) {
  const std::int64_t floats = tile.rows * product.stride;
  const std::int64_t of_c = product.residual == nullptr ? panels : ceil_div(panels, 2);
  if (index < of_c) return share(product.c + at, floats, index, of_c, depth);
  return share(product.residual + at, floats, index - of_c, panels - of_c, depth);
}

// Panels [panel, panel_end). Meanwhile the tiles fetch what follows, each its share, so that the memory has all the
// time of the multiplications for it: of a chunk of several tiles the next panel, of a single tile the next one's rows
// of C and of the residual.
void multiply_chunk(const Product& product, const Chunk& chunk, std::int64_t panel, std::int64_t panel_end) {
  const KernelTable& table = product.table;
  const Depth& depth = chunk.depth;
  const std::int64_t tiles = chunk.tiles.count();
  const bool first = depth.begin == 0, last = depth.begin + depth.length == product.b.k();
  TileArguments arguments = common_arguments(product, last);
  arguments.k = depth.length;
  for (std::int64_t p = panel; p < panel_end; ++p) {
    arguments.b = panel_part(product, depth, p);
    const float* next = following_part(product, depth, panel, p);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const RowTile tile = chunk.tiles[t];
      const std::int64_t row = chunk.row + tile.first, row_end = row + tile.rows;
      arguments.lines = chunk.lines_of(tile);
      if (tiles > 1) {
        arguments.ahead = share(next, depth.length * table.panel(), t, tiles, depth.length);
      } else if (row_end < product.rows) {
        arguments.ahead =
            share_of_next_rows(product, tile, row_end * product.stride, p - panel, panel_end - panel, depth.length);
      }
      multiply_tile(product, {row, tile.rows, p}, first, last, arguments);
    }
  }
}

// All panels, by one thread.
void multiply_rows(const Product& product, RowPointers pointers, const RowTile& rows, float* lines) {
  const std::int64_t k = product.b.k();
  const RowTiles chunks(rows.rows, own_chunk_rows(product.table, product.b.n(), k));
  for (std::int64_t i = 0; i < chunks.count(); ++i) {
    const RowTiles tiles(chunks[i].rows, product.table.rows);
    for (std::int64_t part = 0; part < depth_parts(k); ++part) {
      const Chunk chunk{rows.first + chunks[i].first, tiles, depth_part(k, part), lines};
      copy_rows(product, pointers, chunk, lines);
      multiply_chunk(product, chunk, 0, product.b.panels());
    }
  }
}

constexpr std::int64_t kTasksPerThread = 4;

// Each thread takes some rows.
void share_rows(const Product& product, RowPointers pointers, std::int64_t tasks, ThreadPool& threads) {
  const std::int64_t floats = own_chunk_rows(product.table, product.b.n(), product.b.k()) * depth_step(product.b.k());
  const RowTiles parts(product.rows, ceil_div(product.rows, tasks));
  threads.for_each(parts.count(), [&](std::int64_t i, int thread) {
    multiply_rows(product, pointers, parts[i], product.lines + thread * floats);
  });
}

// A task is some panels of a chunk of rows, of which each thread has its own copy.
void share_panels(const Product& product, RowPointers pointers, ThreadPool& threads) {
  const std::int64_t k = product.b.k(), panels = product.b.panels();
  const std::int64_t most = most_chunk_rows(product.table, k), share = ceil_div(product.rows, threads.threads());
  const RowTiles chunks(product.rows, share < kFewestOwnRows ? most : std::min(most, share));
  const std::int64_t tasks = std::min(panels, ceil_div(kTasksPerThread * threads.threads(), chunks.count()));
  for (std::int64_t part = 0; part < depth_parts(k); ++part) {
    const auto chunk_of = [&](std::int64_t index, const float* lines) -> Chunk {
      return {chunks[index].first, {chunks[index].rows, product.table.rows}, depth_part(k, part), lines};
    };
    for_each_task(
        chunks.count(), tasks, chunks[0].rows * depth_step(k), product.lines, threads,
        [&](std::int64_t index, float* lines) { copy_rows(product, pointers, chunk_of(index, lines), lines); },
        [&](std::int64_t index, std::int64_t task, const float* lines) {
          multiply_chunk(product, chunk_of(index, lines), task * panels / tasks, (task + 1) * panels / tasks);
        });
  }
}

void multiply_in_lines(const Product& product, RowPointers pointers, ThreadPool& threads) {
  constexpr std::int64_t kFewestRows = 96;  // for which a thread reads all of B
  const std::int64_t tasks = kTasksPerThread * threads.threads();
  const bool b_stays = own_chunk_rows(product.table, product.b.n(), product.b.k()) == product.table.rows;
  if (threads.threads() == 1) {
    multiply_rows(product, pointers, {0, product.rows}, product.lines);
  } else if (b_stays && product.rows >= kFewestRows * tasks) {
    share_rows(product, pointers, tasks, threads);
  } else {
    share_panels(product, pointers, threads);
  }
}

}  // namespace

std::int64_t line_floats(const KernelTable& table, std::int64_t rows, std::int64_t n, std::int64_t k, int threads) {
  const std::int64_t most = std::max(own_chunk_rows(table, n, k), std::min(rows, most_chunk_rows(table, k)));
  return threads * task_floats(most * depth_step(k));
}

void multiply(const Product& product, RowPointers pointers, ThreadPool& threads) {
  if (product.lines != nullptr) {
    multiply_in_lines(product, pointers, threads);
    return;
  }
  constexpr std::int64_t kBytes = sizeof(float);
  const BlockingRequest request{.rows = product.rows,
                                .columns = product.b.n(),
                                .tile_rows = product.table.rows,
                                .panels = product.b.panels(),
                                .row_tile_bytes = product.b.k() * product.table.rows * kBytes,
                                .panel_bytes = product.b.k() * product.table.panel() * kBytes};
  for_each_block(request, threads, [&](const Block& block, int) { multiply_block(product, pointers, block); });
}

void multiply(const Product& product, RowPointers pointers) {
  if (product.lines == nullptr) {
    multiply_block(product, pointers, {0, product.rows, 0, product.b.panels()});
  } else {
    multiply_rows(product, pointers, {0, product.rows}, product.lines);
  }
}

void multiply_lines(const Product& product, const float* lines) {
  // All of K at once: the rows are few.
  const Chunk chunk{0, {product.rows, product.table.rows}, {0, product.b.k()}, lines};
  multiply_chunk(product, chunk, 0, product.b.panels());
}

}  // namespace tessera::cpu
