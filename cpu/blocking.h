#pragma once
// How a matrix product is cut into tasks: so that operands stay in the caches, and there is work for every thread.
// Private to cpu/.

#include <cstdint>

namespace tessera::cpu {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// How many row tiles and panels one task takes.
struct Blocking {
  std::int64_t row_tiles = 1, panels = 1;
};

struct BlockingRequest {
  std::int64_t rows = 0, columns = 0;
  std::int64_t tile_rows = 0, panels = 0;
  std::int64_t row_tile_bytes = 0;  // of A
  std::int64_t panel_bytes = 0;     // of B, that pass before a row tile is read again
  int threads = 1;
};
Blocking choose_blocking(const BlockingRequest& request);

}  // namespace tessera::cpu
