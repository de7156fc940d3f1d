#include "engine/memory_plan.h"

#include <algorithm>
#include <utility>

namespace tessera {

namespace {

// A piece of memory that one value or several (in place, one after the other) use.
struct Buffer {
  std::size_t first = 0;  // node that writes it
  std::size_t last = 0;   // node that reads it last
  std::size_t bytes = 0;
  std::size_t offset = 0;
};

std::size_t rounded_bytes(const Shape& shape, DType dtype) {
  return static_cast<std::size_t>((shape.count() * bytes_of(dtype) + 63) / 64 * 64);
}

// The node that reads each value last; past the end for values that live on.
std::vector<std::size_t> last_readers(const Graph& graph, const std::set<ValueId>& kept) {
  std::vector<std::size_t> last(graph.value_count(), 0);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    last[static_cast<std::size_t>(node.output)] = n;
    for (const ValueId id : node.inputs) last[static_cast<std::size_t>(id)] = n;
  }
  last[static_cast<std::size_t>(graph.output_id())] = graph.nodes().size();
  for (const ValueId id : kept) last[static_cast<std::size_t>(id)] = graph.nodes().size();
  return last;
}

// The smallest gap between the buffers that are alive at the same time.
std::size_t best_fit(const Buffer& buffer, const std::vector<Buffer>& placed) {
  std::vector<std::pair<std::size_t, std::size_t>> taken;
  for (const Buffer& other : placed) {
    if (other.first <= buffer.last && buffer.first <= other.last) {
      taken.emplace_back(other.offset, other.offset + other.bytes);
    }
  }
  std::ranges::sort(taken);
  std::size_t at = 0;
  std::size_t best_gap = static_cast<std::size_t>(-1);
  std::size_t best = 0;
  for (const auto& [begin, end] : taken) {
    if (begin >= at + buffer.bytes && begin - at < best_gap) {
      best_gap = begin - at;
      best = at;
    }
    at = std::max(at, end);
  }
  return best_gap == static_cast<std::size_t>(-1) ? at : best;
}

}  // namespace

MemoryPlan plan_memory(const Graph& graph, std::span<const ValueType> types, const std::set<ValueId>& kept) {
  const std::vector<std::size_t> last = last_readers(graph, kept);
  std::vector<Buffer> buffers;
  std::vector<std::size_t> buffer_of(graph.value_count(), MemoryPlan::kOutside);
  MemoryPlan plan;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    const auto out = static_cast<std::size_t>(node.output);
    const std::size_t bytes = rounded_bytes(graph.shape(node.output), types[out].dtype);
    plan.separate_bytes += bytes;
    const auto in = static_cast<std::size_t>(node.inputs[0]);
    const bool in_place = layer_may_overwrite_input(node.layer) && buffer_of[in] != MemoryPlan::kOutside &&
                          types[in].dtype == types[out].dtype && last[in] == n &&
                          std::ranges::count(node.inputs, node.inputs[0]) == 1;
    if (in_place) {
      buffer_of[out] = buffer_of[in];
      buffers[buffer_of[out]].last = last[out];
    } else {
      buffer_of[out] = buffers.size();
      buffers.push_back({n, last[out], bytes, 0});
    }
  }

  std::vector<std::size_t> order(buffers.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<Buffer> placed;
  for (const std::size_t i : order) {
    buffers[i].offset = best_fit(buffers[i], placed);
    plan.arena_bytes = std::max(plan.arena_bytes, buffers[i].offset + buffers[i].bytes);
    placed.push_back(buffers[i]);
  }

  plan.offsets.assign(graph.value_count(), MemoryPlan::kOutside);
  for (std::size_t v = 0; v < buffer_of.size(); ++v) {
    if (buffer_of[v] != MemoryPlan::kOutside) plan.offsets[v] = buffers[buffer_of[v]].offset;
  }
  return plan;
}

}  // namespace tessera
