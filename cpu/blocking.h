#pragma once
// Cuts a matrix product into tasks, so that operands stay in the caches and every thread has work. Private to cpu/.

#include <algorithm>
#include <cstdint>

#include "core/function_ref.h"
#include "core/thread_pool.h"

namespace tessera::cpu {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Rows and panels of one task.
struct Block {
  std::int64_t row, row_end, panel, panel_end;
};

// Half of the L2 cache: the part of one operand that is read again and again must fit; the other half is for what
// streams through.
std::int64_t cache_for_reuse();
// Half of the machine's last cache: the share of a network's activations; the rest is for its weights.
std::size_t cache_for_activations();

// With at least this many rows for each, threads take rows of their own: the next layer then finds them in the cache of
// the core that wrote them.
constexpr std::int64_t kFewestOwnRows = 80;

struct BlockingRequest {
  std::int64_t rows = 0, columns = 0;
  std::int64_t tile_rows = 0, panels = 0;
  std::int64_t row_tile_bytes = 0;  // of A
  std::int64_t panel_bytes = 0;     // of B, that pass before a row tile is read again
};
// Calls body(block, thread) for each task. Neighbouring tasks share their rows of A.
void for_each_block(const BlockingRequest& request, ThreadPool& threads,
                    FunctionRef<void(const Block& block, int thread)> body);

// The scratch of each thread for for_each_task(); `floats` of it are the caller's.
std::int64_t task_floats(std::int64_t floats);
// Calls work(chunk, task, memory) for each task of each chunk. `memory` belongs to the thread and holds what
// make(chunk, memory) put there before the thread's first task of that chunk: copies of rows, for example, since
// reading another thread's copies takes longer than making them again.
void for_each_task(std::int64_t chunks, std::int64_t tasks, std::int64_t floats, float* scratch, ThreadPool& threads,
                   FunctionRef<void(std::int64_t chunk, float* memory)> make,
                   FunctionRef<void(std::int64_t chunk, std::int64_t task, float* memory)> work);

// Rows [first, first + rows).
struct RowTile {
  std::int64_t first, rows;
};
// Rows cut into the fewest tiles of at most `most` rows, of almost equal height: 197 rows are 15 tiles of 14 or 13, not
// 14 of 14 and one of 1. The higher ones come first.
class RowTiles {
 public:
  RowTiles(std::int64_t rows, std::int64_t most)
      : count_(std::max<std::int64_t>(1, ceil_div(rows, most))), height_(rows / count_), higher_(rows % count_) {}

  std::int64_t count() const { return count_; }
  RowTile operator[](std::int64_t index) const {
    return {index * height_ + std::min(index, higher_), height_ + (index < higher_ ? 1 : 0)};
  }
  // The tile that has row `row`.
  RowTile with(std::int64_t row) const {
    const std::int64_t in_higher = higher_ * (height_ + 1);
    return (*this)[row < in_higher ? row / (height_ + 1) : higher_ + (row - in_higher) / height_];
  }

 private:
  std::int64_t count_, height_, higher_;
};

}  // namespace tessera::cpu
