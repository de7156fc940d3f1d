#pragma once
// Cuts an element-wise layer into blocks for the threads. The block is fixed, so results do not depend on threads.

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"

namespace tessera {

inline constexpr std::int64_t kElementwiseBlock = 16384;  // 64 KiB of float: fits L2 with its input

// Calls body(begin, end) for consecutive blocks of [0, count).
template <class Body>
void for_each_block(ThreadPool& threads, std::int64_t count, const Body& body) {
  const std::int64_t blocks = (count + kElementwiseBlock - 1) / kElementwiseBlock;
  threads.for_each(blocks, [&](std::int64_t block, int) {
    const std::int64_t begin = block * kElementwiseBlock;
    body(begin, std::min(count, begin + kElementwiseBlock));
  });
}

}  // namespace tessera
