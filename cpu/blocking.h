#pragma once
// How a matrix product is cut into tasks: so that operands stay in the caches, and there is work for every thread.
// Private to cpu/.

#include <cstdint>

#include "core/function_ref.h"
#include "core/thread_pool.h"

namespace tessera::cpu {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Rows and panels of one task.
struct Block {
  std::int64_t row, row_end, panel, panel_end;
};

// Half of the L2 cache: what is read again and again of one operand, beside what passes of the others.
std::int64_t cache_for_reuse();
// Half of the machine's last cache: what a network's activations may take of it, beside its weights.
std::size_t cache_for_activations();

struct BlockingRequest {
  std::int64_t rows = 0, columns = 0;
  std::int64_t tile_rows = 0, panels = 0;
  std::int64_t row_tile_bytes = 0;  // of A
  std::int64_t panel_bytes = 0;     // of B, that pass before a row tile is read again
};
// Calls body(block, thread) for each task. Neighbouring tasks share their rows of A.
void for_each_block(const BlockingRequest& request, ThreadPool& threads,
                    FunctionRef<void(const Block& block, int thread)> body);

// Rows [row, row_end) cut into tiles of almost equal height: 197 rows are 15 tiles of 13 or 14, not 14 of 14 and one
// of 1.
struct RowTile {
  std::int64_t first, rows;
};
inline RowTile row_tile(std::int64_t row, std::int64_t row_end, std::int64_t tiles, std::int64_t index) {
  const std::int64_t first = row + index * (row_end - row) / tiles;
  return {first, row + (index + 1) * (row_end - row) / tiles - first};
}

}  // namespace tessera::cpu
