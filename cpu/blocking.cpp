#include "cpu/blocking.h"

#include <unistd.h>

#include <algorithm>

namespace tessera::cpu {

namespace {

constexpr std::int64_t kRowBytes = 4 << 20;  // rows of A of a task: a part of the L3 cache
constexpr std::int64_t kTasksPerThread = 4;

// How many row tiles and panels one task takes.
struct Blocking {
  std::int64_t row_tiles, panels;
};

Blocking choose_blocking(const BlockingRequest& request, int threads) {
  const std::int64_t row_tiles = ceil_div(request.rows, request.tile_rows);
  Blocking block{std::clamp<std::int64_t>(kRowBytes / request.row_tile_bytes, 1, row_tiles),
                 std::clamp<std::int64_t>(cache_for_reuse() / request.panel_bytes, 1, request.panels)};
  if (request.rows >= kFewestOwnRows * threads) {
    block.row_tiles = std::min(block.row_tiles, ceil_div(row_tiles, threads));
  }
  const auto tasks = [&] { return ceil_div(row_tiles, block.row_tiles) * ceil_div(request.panels, block.panels); };
  while (threads > 1 && tasks() < kTasksPerThread * threads) {
    // The larger operand is the one to be read once.
    const bool cut_rows = block.panels == 1 || (block.row_tiles > 1 && request.rows > request.columns);
    if (cut_rows && block.row_tiles == 1) break;
    std::int64_t& count = cut_rows ? block.row_tiles : block.panels;
    count = ceil_div(count, 2);
  }
  return block;
}

}  // namespace

std::int64_t cache_for_reuse() {
  static const std::int64_t bytes = [] {
    constexpr std::int64_t kSmallest = 256 << 10, kLargest = 2 << 20;
    return std::clamp<std::int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE), kSmallest, kLargest) / 2;
  }();
  return bytes;
}

std::size_t cache_for_activations() {
  constexpr std::int64_t kSmallest = 4 << 20, kLargest = 64 << 20;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(::sysconf(_SC_LEVEL3_CACHE_SIZE), kSmallest, kLargest) / 3);
}

void for_each_block(const BlockingRequest& request, ThreadPool& threads, FunctionRef<void(const Block&, int)> body) {
  const Blocking blocking = choose_blocking(request, threads.threads());
  const std::int64_t row_blocks = ceil_div(ceil_div(request.rows, request.tile_rows), blocking.row_tiles);
  const std::int64_t panel_blocks = ceil_div(request.panels, blocking.panels);
  threads.for_each(row_blocks * panel_blocks, [&](std::int64_t task, int thread) {
    const std::int64_t row_block = task / panel_blocks, panel = task % panel_blocks * blocking.panels;
    body({row_block * request.rows / row_blocks, (row_block + 1) * request.rows / row_blocks, panel,
          std::min(panel + blocking.panels, request.panels)},
         thread);
  });
}

namespace {
// A thread's scratch begins with a cache line that says for which chunk it was made.
constexpr std::int64_t kMark = 16;
constexpr float kNothing = -1;
}  // namespace

std::int64_t task_floats(std::int64_t floats) { return kMark + floats; }

void for_each_task(std::int64_t chunks, std::int64_t tasks, std::int64_t floats, float* scratch, ThreadPool& threads,
                   FunctionRef<void(std::int64_t, float*)> make,
                   FunctionRef<void(std::int64_t, std::int64_t, float*)> work) {
  for (int thread = 0; thread < threads.threads(); ++thread) scratch[thread * task_floats(floats)] = kNothing;
  threads.for_each(chunks * tasks, [&](std::int64_t index, int thread) {
    const std::int64_t chunk = index / tasks;
    float* mark = scratch + thread * task_floats(floats);
    if (*mark != static_cast<float>(chunk)) make(chunk, mark + kMark);
    *mark = static_cast<float>(chunk);
    work(chunk, index % tasks, mark + kMark);
  });
}

}  // namespace tessera::cpu
