#include "cpu/amx_gemm.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tessera::cpu {

namespace {

constexpr std::int64_t kBlockRows = 2 * kAmxRows;
constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kTasksPerThread = 4;

// Rows cut into those of one tile each, all about as many: `lines` lines of so many rows, none in two lines.
class Segments {
 public:
  // Of one line alone, for blocks of two: 196 rows are 14 of 14.
  explicit Segments(std::int64_t rows)
      : lines_(1),
        line_rows_(rows),
        tiles_(rows, rows <= kAmxRows ? rows : ceil_div(rows, 2 * ceil_div(rows, kBlockRows))) {}
  Segments(std::int64_t lines, std::int64_t line_rows)
      : lines_(lines), line_rows_(line_rows), tiles_(line_rows, kAmxRows) {}

  std::int64_t count() const { return lines_ * tiles_.count(); }
  std::int64_t height() const { return tiles_[0].rows; }
  std::int64_t line_of(std::int64_t index) const { return index / tiles_.count(); }
  RowTile in_line(std::int64_t index) const { return tiles_[index % tiles_.count()]; }
  RowTile operator[](std::int64_t index) const {
    const RowTile tile = in_line(index);
    return {line_of(index) * line_rows_ + tile.first, tile.rows};
  }
  // A lower segment begins so many rows earlier, among those of the one before it in its line, so that all tiles are
  // of one height and no row beyond the last is read.
  std::int64_t shift(std::int64_t index) const { return height() - in_line(index).rows; }
  std::int64_t blocks() const { return ceil_div(count(), 2); }
  std::int64_t halves(std::int64_t block) const { return std::min<std::int64_t>(2, count() - 2 * block); }

 private:
  std::int64_t lines_, line_rows_;
  RowTiles tiles_;
};

// Products of rows that are copied are done in parts of at most so many bytes of a row: a panel's part and the rows'
// parts then stay in the L2 cache.
constexpr std::int64_t kMostDepthBytes = 4096;

// Steps [begin, begin + count).
struct Depth {
  std::int64_t begin, count;
};
std::int64_t depth_parts(const AmxMatrix& b) { return ceil_div(b.steps() * b.step_bytes(), kMostDepthBytes); }
std::int64_t depth_step(const AmxMatrix& b) { return ceil_div(b.steps(), depth_parts(b)); }
Depth depth_part(const AmxMatrix& b, std::int64_t part) {
  const std::int64_t begin = part * depth_step(b);
  return {begin, std::min(depth_step(b), b.steps() - begin)};
}

// Some rows, and all or a part of K.
struct Chunk {
  std::int64_t row = 0;  // that the segments begin with
  Segments segments;
  std::int64_t block = 0, block_end = 0;  // of them, to be multiplied
  Depth depth;
  float* sums = nullptr;             // of all of K, where it is done in parts: [panel][block][kBlockRows][kAmxPanel]
  std::byte* panel_tiles = nullptr;  // where a panel of B becomes tiles, if it is not kept so
  // Where the tiles are: as in AmxArguments, and to[2 * tap] for the first row of the tile of segment `index`.
  std::int64_t row_bytes, part_bytes, step_bytes;
  FunctionRef<void(std::int64_t index, const std::byte** to)> locate;

  float* block_sums(std::int64_t panel, std::int64_t index) const {
    return sums + (panel * segments.blocks() + index) * kBlockRows * kAmxPanel;
  }
};

// The part of a block's sums that belongs to one segment.
void finish_rows(const AmxProduct& product, const RowTile& rows, std::int64_t panel, float* sums) {
  const AmxMatrix& b = product.b;
  const std::int64_t at = rows.first * b.n() + panel * kAmxPanel;
  finish_sums(product.table, {product.y, product.residual, product.epilogue, at, b.n()},
              {.sums = sums,
               .integers = b.kind() == AmxKind::kInt8,
               .rows = rows.rows,
               .columns = b.columns(panel),
               .step = kAmxPanel,
               .factor = b.factor(panel),
               .offset = b.offset(panel)});
}

void finish_block(const AmxProduct& product, const Chunk& chunk, std::int64_t block, std::int64_t panel, float* sums) {
  const Segments& segments = chunk.segments;
  const std::int64_t first = 2 * block, second = first + 1, height = segments.height();
  RowTile rows = segments[first];
  rows.first += chunk.row;
  if (segments.halves(block) == 2) {
    const RowTile others = segments[second];
    if (rows.rows == height && others.rows == height) {  // they follow each other in the sums as well
      finish_rows(product, {rows.first, 2 * height}, panel, sums);
      return;
    }
    finish_rows(product, {chunk.row + others.first, others.rows}, panel,
                sums + (height + segments.shift(second)) * kAmxPanel);
  }
  finish_rows(product, rows, panel, sums + segments.shift(first) * kAmxPanel);
}

// Whether all of B stays in the L2 cache, so that a thread does a block of rows with all panels: what it writes then
// lies side by side.
bool b_stays(const AmxMatrix& b) { return static_cast<std::int64_t>(b.bytes()) <= cache_for_reuse(); }

// The `index`-th of `parts` equal parts of some bytes, in so many steps.
AmxAhead share(const std::byte* from, std::int64_t bytes, std::int64_t index, std::int64_t parts, std::int64_t steps) {
  const std::int64_t lines = ceil_div(ceil_div(bytes, kAmxStep), parts * steps);
  return {from + index * lines * steps * kAmxStep, lines};
}

// What is fetched while a block is multiplied with panel `panel` of [begin, end): a share of the next panel or of the
// first of the next part; where B is in the cache already, of the rows of C and of the residual that come next.
std::array<AmxAhead, 2> ahead_of(const AmxProduct& product, const Chunk& chunk, std::int64_t block, std::int64_t panel,
                                 std::int64_t begin, std::int64_t end) {
  const AmxMatrix& b = product.b;
  const std::int64_t blocks = chunk.block_end - chunk.block, steps = chunk.depth.count;
  if (b_stays(b)) {
    const RowTile last = chunk.segments[std::min(2 * chunk.block_end, chunk.segments.count()) - 1];
    const std::int64_t row = chunk.row + last.first + last.rows;
    const std::int64_t rows = std::min(kBlockRows, product.rows - row);
    if (rows <= 0) return {};
    const std::int64_t values = rows * b.n(), index = (panel - begin) * blocks + block - chunk.block;
    const auto part = [&](const std::byte* from, const ValueType& type) {
      return share(from, values * bytes_of(type.dtype), index, (end - begin) * blocks, steps);
    };
    std::array<AmxAhead, 2> rows_ahead{part(product.y.at(row * b.n()), product.y.type())};
    if (product.residual != nullptr) rows_ahead[1] = part(product.residual->at(row * b.n()), product.residual->type());
    return rows_ahead;
  }
  const std::int64_t next_depth = chunk.depth.begin + steps;
  if (panel + 1 == end && next_depth == b.steps()) return {};
  const std::byte* next = panel + 1 < end ? b.panel(panel + 1, chunk.depth.begin) : b.panel(begin, next_depth);
  return {share(next, steps * b.panel_step_bytes(panel), block - chunk.block, blocks, steps)};
}

// Panels [panel, panel_end).
void multiply_chunk(const AmxProduct& product, const Chunk& chunk, std::int64_t panel, std::int64_t panel_end) {
  const AmxMatrix& b = product.b;
  const auto& functions = product.table.amx->multiply[static_cast<std::size_t>(b.kind())];
  product.table.amx->begin(chunk.segments.height());
  const bool last = chunk.depth.begin + chunk.depth.count == b.steps();
  alignas(64) std::array<float, static_cast<std::size_t>(kBlockRows * kAmxPanel)> own;  // NOLINT: filled by a product
  std::array<const std::byte*, 2 * kMostTaps> a{};
  AmxArguments arguments{.a = a.data(),
                         .row_bytes = chunk.row_bytes,
                         .part_bytes = chunk.part_bytes,
                         .step_bytes = chunk.step_bytes,
                         .taps = b.taps(),
                         .steps = chunk.depth.count / b.taps(),
                         .sums = own.data(),
                         .goes_on = chunk.depth.begin > 0};
  arguments.split = product.table.split;
  for (std::int64_t p = panel; p < panel_end; ++p) {
    arguments.b = b.panel(p, chunk.depth.begin);
    if (!b.in_tiles()) {
      arguments.floats = reinterpret_cast<const float*>(arguments.b);
      arguments.b = arguments.made = chunk.panel_tiles;
    }
    for (std::int64_t block = chunk.block; block < chunk.block_end; ++block) {
      const std::int64_t halves = chunk.segments.halves(block);
      for (std::int64_t half = 0; half < halves; ++half) chunk.locate(2 * block + half, a.data() + half);
      if (chunk.sums != nullptr) arguments.sums = chunk.block_sums(p, block);
      arguments.ahead = ahead_of(product, chunk, block, p, panel, panel_end);
      functions[static_cast<std::size_t>(halves - 1)][static_cast<std::size_t>(b.vectors(p) - 1)](arguments);
      arguments.floats = nullptr;  // the first block has made the tiles
      if (last) finish_block(product, chunk, block, p, static_cast<float*>(arguments.sums));
    }
  }
}

// A thread that takes rows of its own reads all of B: it takes so many that this is the smaller part of the time.
bool threads_take_rows(const AmxMatrix& b, std::int64_t rows, int threads) {
  constexpr std::int64_t kFewest = 256, kFewestOfSmall = 64;
  return rows >= threads * (b_stays(b) ? kFewestOfSmall : kFewest);
}

// ---- rows that are copied

// Most rows of a chunk, of which a part in tiles stays in the L2 cache beside that of a panel.
std::int64_t most_chunk_rows(const AmxMatrix& b) {
  return std::max<std::int64_t>(1, cache_for_reuse() / (depth_step(b) * b.step_bytes()) / kBlockRows) * kBlockRows;
}
std::int64_t own_chunk_rows(const AmxMatrix& b) {
  return b_stays(b) && depth_parts(b) == 1 ? kBlockRows : most_chunk_rows(b);
}

// What a thread has for itself: a panel and rows in tiles, and a row whose taps are put side by side.
std::int64_t row_floats(const AmxMatrix& b, std::int64_t rows) {
  const std::int64_t tiles = ceil_div(rows, kBlockRows) * kBlockRows * depth_step(b) * b.step_bytes();
  const std::int64_t panel = b.in_tiles() ? 0 : b.panel_tile_bytes(depth_step(b));
  return ceil_div(panel + tiles + b.k() * kFloat, kAmxStep) * kAmxStep / kFloat;
}
// Sums of all of K, where it is done in parts.
std::int64_t sum_floats(const AmxMatrix& b, std::int64_t rows) {
  return depth_parts(b) == 1 ? 0 : b.panels() * ceil_div(rows, kBlockRows) * kBlockRows * kAmxPanel;
}

// Rows [row, row + rows) in tiles: [segment][steps][parts][height][64 bytes].
class CopiedRows {
 public:
  CopiedRows(const AmxMatrix& b, std::int64_t row, std::int64_t rows, const Depth& depth, float* memory)
      : b_(b),
        row_(row),
        segments_(rows),
        depth_(depth),
        panel_(reinterpret_cast<std::byte*>(memory)),
        memory_(panel_ + (b.in_tiles() ? 0 : b.panel_tile_bytes(depth_step(b)))) {}

  void copy(const AmxProduct& product, const AmxRows& a) const {
    std::array<const std::byte*, kMostTaps * kAmxRows> taps;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
    for (std::int64_t segment = 0; segment < segments_.count(); ++segment) {
      const RowTile rows = segments_[segment];
      a.pointers(row_ + rows.first, rows.rows, taps.data());
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        copy_row(
            product, a, taps.data() + r, rows.rows,
            {at(segment) + (segments_.shift(segment) + r) * kAmxStep, step_bytes(), segments_.height() * kAmxStep});
      }
    }
  }

  // Panels [panel, panel_end) of it. `sums` as in Chunk.
  void multiply(const AmxProduct& product, float* sums, std::int64_t panel, std::int64_t panel_end) const {
    const auto locate = [&](std::int64_t index, const std::byte** to) { *to = at(index); };
    multiply_chunk(product,
                   {.row = row_,
                    .segments = segments_,
                    .block_end = segments_.blocks(),
                    .depth = depth_,
                    .sums = sums,
                    .panel_tiles = panel_,
                    .row_bytes = kAmxStep,
                    .part_bytes = segments_.height() * kAmxStep,
                    .step_bytes = step_bytes(),
                    .locate = locate},
                   panel, panel_end);
  }

 private:
  std::int64_t step_bytes() const { return segments_.height() * b_.step_bytes(); }
  std::byte* at(std::int64_t segment) const { return memory_ + segment * depth_.count * step_bytes(); }
  std::byte* side_by_side() const { return at(segments_.count()); }

  // taps[tap * distance] is where the row's part for that tap lies.
  void copy_row(const AmxProduct& product, const AmxRows& a, const std::byte* const* taps, std::int64_t distance,
                const AmxSteps& steps) const {
    const std::int64_t value = bytes_of(a.type.dtype), in_step = b_.step_values(), tap_length = b_.k() / a.taps;
    const std::int64_t begin = depth_.begin * in_step, end = std::min(b_.k(), begin + depth_.count * in_step);
    const auto put = [&](const std::byte* from, std::int64_t count, const AmxSteps& to) {
      put_values(product.table, from, a.type, b_, count, to);
    };
    if (a.taps > 1 && tap_length % in_step != 0) {
      std::byte* to = side_by_side();
      for (std::int64_t tap = 0; tap < a.taps; ++tap, to += tap_length * value) {
        std::memcpy(to, taps[tap * distance], static_cast<std::size_t>(tap_length * value));
      }
      put(side_by_side() + begin * value, end - begin, steps);
      return;
    }
    for (std::int64_t at = begin; at < end;) {
      const std::int64_t tap = at / tap_length, offset = at % tap_length;
      const std::int64_t length = std::min(tap_length - offset, end - at);
      put(taps[tap * distance] + offset * value, length,
          {steps.to + (at - begin) / in_step * steps.step, steps.step, steps.part});
      at += length;
    }
  }

  const AmxMatrix& b_;
  std::int64_t row_;
  Segments segments_;
  Depth depth_;
  std::byte* panel_;
  std::byte* memory_;  // [segment][steps][parts][height][64 bytes]
};

// All panels, by one thread, with row_floats() and sum_floats() of scratch.
void multiply_rows(const AmxProduct& product, const AmxRows& a, const RowTile& rows, float* memory) {
  const AmxMatrix& b = product.b;
  const AmxSession session(*product.table.amx);
  const RowTiles chunks(rows.rows, own_chunk_rows(b));
  float* sums = depth_parts(b) == 1 ? nullptr : memory + row_floats(b, chunks[0].rows);
  for (std::int64_t i = 0; i < chunks.count(); ++i) {
    for (std::int64_t part = 0; part < depth_parts(b); ++part) {
      const CopiedRows copied(b, rows.first + chunks[i].first, chunks[i].rows, depth_part(b, part), memory);
      copied.copy(product, a);
      copied.multiply(product, sums, 0, b.panels());
    }
  }
}

void share_rows(const AmxProduct& product, const AmxRows& a, ThreadPool& threads) {
  const AmxMatrix& b = product.b;
  const std::int64_t most = std::min(product.rows, own_chunk_rows(b)), workers = threads.threads();
  const std::int64_t floats = row_floats(b, most) + sum_floats(b, most);
  const std::int64_t tasks = own_chunk_rows(b) == kBlockRows ? kTasksPerThread * workers : ceil_div(product.rows, most);
  const RowTiles parts(product.rows, ceil_div(product.rows, ceil_div(tasks, workers) * workers));
  threads.for_each(parts.count(), [&](std::int64_t i, int thread) {
    multiply_rows(product, a, parts[i], a.scratch + thread * floats);
  });
}

// A task is some panels of a chunk of rows, of which each thread has its own copy.
void share_panels(const AmxProduct& product, const AmxRows& a, ThreadPool& threads) {
  const AmxMatrix& b = product.b;
  const RowTiles chunks(product.rows, most_chunk_rows(b));
  const std::int64_t tasks = std::min<std::int64_t>(b.panels(), kTasksPerThread * threads.threads());
  const std::int64_t shared = sum_floats(b, chunks[0].rows);
  float* sums = shared == 0 ? nullptr : a.scratch;
  for (std::int64_t i = 0; i < chunks.count(); ++i) {
    for (std::int64_t part = 0; part < depth_parts(b); ++part) {
      const auto rows_in = [&](float* memory) {
        return CopiedRows(b, chunks[i].first, chunks[i].rows, depth_part(b, part), memory);
      };
      for_each_task(
          1, tasks, row_floats(b, chunks[0].rows), a.scratch + shared, threads,
          [&](std::int64_t, float* memory) { rows_in(memory).copy(product, a); },
          [&](std::int64_t, std::int64_t task, float* memory) {
            const AmxSession session(*product.table.amx);
            rows_in(memory).multiply(product, sums, task * b.panels() / tasks, (task + 1) * b.panels() / tasks);
          });
    }
  }
}

}  // namespace

std::int64_t amx_floats(const AmxMatrix& b, std::int64_t rows, int threads) {
  const std::int64_t own = std::min(rows, own_chunk_rows(b)), shared = std::min(rows, most_chunk_rows(b));
  const std::int64_t by_rows = threads * (row_floats(b, own) + sum_floats(b, own));
  return threads == 1 ? by_rows
                      : std::max(by_rows, threads * task_floats(row_floats(b, shared)) + sum_floats(b, shared));
}

void multiply(const AmxProduct& product, const AmxRows& a, ThreadPool& threads) {
  if (threads.threads() == 1) {
    multiply_rows(product, a, {0, product.rows}, a.scratch);
  } else if (threads_take_rows(product.b, product.rows, threads.threads())) {
    share_rows(product, a, threads);
  } else {
    share_panels(product, a, threads);
  }
}

// ---- rows that are multiplied where they lie

void multiply(const AmxProduct& product, const AmxLines& a, ThreadPool& threads) {
  const AmxMatrix& b = product.b;
  const Segments segments(product.rows / a.line_rows, a.line_rows);
  const auto locate = [&](std::int64_t index, const std::byte** to) {
    a.locate(segments.line_of(index), segments.in_line(index).first - segments.shift(index), to);
  };
  const auto multiply_blocks = [&](std::int64_t block, std::int64_t block_end, std::int64_t panel,
                                   std::int64_t panel_end) {
    multiply_chunk(product,
                   {.segments = segments,
                    .block = block,
                    .block_end = block_end,
                    .depth = {0, b.steps()},
                    .row_bytes = a.row_bytes,
                    .part_bytes = a.part_bytes,
                    .step_bytes = a.step_bytes,
                    .locate = locate},
                   panel, panel_end);
  };
  const int workers = threads.threads();
  const bool by_rows = workers == 1 || threads_take_rows(b, product.rows, workers);
  // Blocks whose rows of A stay in the L2 cache while the panels pass; rows of a line share most of theirs.
  const std::int64_t at_once =
      b_stays(b) ? 1 : std::max<std::int64_t>(1, cache_for_reuse() / (kBlockRows * b.tap_steps() * b.step_bytes()));
  const std::int64_t chunks = ceil_div(segments.blocks(), at_once);
  const std::int64_t row_tasks = !by_rows       ? chunks
                                 : workers == 1 ? 1
                                                : std::min(segments.blocks(), kTasksPerThread * workers);
  const std::int64_t panel_tasks = by_rows ? 1 : std::min<std::int64_t>(b.panels(), kTasksPerThread * workers);
  threads.for_each(row_tasks * panel_tasks, [&](std::int64_t task, int) {
    const AmxSession session(*product.table.amx);
    const std::int64_t rows = task / panel_tasks, columns = task % panel_tasks;
    const std::int64_t end = (rows + 1) * segments.blocks() / row_tasks;
    for (std::int64_t block = rows * segments.blocks() / row_tasks; block < end; block += at_once) {
      multiply_blocks(block, std::min(end, block + at_once), columns * b.panels() / panel_tasks,
                      (columns + 1) * b.panels() / panel_tasks);
    }
  });
}

}  // namespace tessera::cpu
