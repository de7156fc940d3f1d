#pragma once
// One arena for all activations: where each value lies, by when it is first written and last read.

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "core/value.h"
#include "engine/graph.h"

namespace tessera {

struct MemoryPlan {
  static constexpr std::size_t kOutside = static_cast<std::size_t>(-1);  // the graph's input lies with the caller
  std::vector<std::size_t> offsets;  // bytes into the arena by ValueId, multiples of 64; kOutside where not planned
  std::size_t arena_bytes = 0;
  std::size_t separate_bytes = 0;  // what one buffer a value would take
};

// Greedy by size, best fit: the largest value first, into the smallest gap that its lifetime leaves. A layer that may
// overwrite its first input does so when nothing reads that input later and both are of one type. `kept` values and the
// output live to the end. `types` by ValueId.
MemoryPlan plan_memory(const Graph& graph, std::span<const ValueType> types, const std::set<ValueId>& kept);

}  // namespace tessera
