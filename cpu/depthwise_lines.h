#pragma once
// How a depthwise convolution is cut into tasks. Private to cpu/.

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"
#include "core/thread_pool.h"
#include "cpu/blocking.h"

namespace tessera::cpu {

// Channels [channel, channel_end) of a row of outputs.
struct DepthwiseLine {
  std::int64_t picture;  // value of x where it begins
  std::int64_t oy;
  std::int64_t at;  // value of y where the row begins
  std::int64_t channel, channel_end;
};

// Calls body(line) for each task. Channels are cut at multiples of `block`.
template <class Body>
void for_each_depthwise_line(const Shape& in, const Shape& out, std::int64_t block, ThreadPool& threads,
                             const Body& body) {
  // Low maps are cut along the channels too: of 7 rows two threads would do 4 and 3.
  constexpr std::int64_t kManyRows = 28;
  const std::int64_t parts = out[1] < kManyRows ? 2 : 1, blocks = ceil_div(in[3], block);
  const auto channel_at = [&](std::int64_t part) { return std::min(in[3], part * blocks / parts * block); };
  threads.for_each(out[0] * out[1] * parts, [&](std::int64_t task, int) {
    const std::int64_t row = task / parts, part = task % parts;
    body(DepthwiseLine{row / out[1] * in[1] * in[2] * in[3], row % out[1], row * out[2] * out[3], channel_at(part),
                       channel_at(part + 1)});
  });
}

}  // namespace tessera::cpu
