#include "cpu/fusion.h"

#include <algorithm>
#include <optional>

#include "cpu/blocking.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

// Bytes of a wide tensor that layer by layer stay in the L2 cache: all of it where it has 1 MiB, half of 2 MiB.
std::int64_t kept_in_cache() { return std::min<std::int64_t>(2 * cache_for_reuse(), 1 << 20); }

// The convolution that writes `id`, when nothing else reads it and nobody wants to see it; otherwise null.
Node* sole_convolution(Graph& graph, ValueId id, const KeptValues& kept) {
  if (kept.contains(id) || graph.uses(id) != 1) return nullptr;
  Node* node = graph.producer(id);
  return node != nullptr && std::holds_alternative<Conv2d>(node->layer) ? node : nullptr;
}

int tensor_count(const Node& node) { return static_cast<int>(node.weights.size()); }

// The nodes of a block, in order.
struct BlockNodes {
  Node* expand = nullptr;  // or null
  Node* depthwise = nullptr;
  Node* project = nullptr;

  Node& first() const { return expand == nullptr ? *depthwise : *expand; }
  InvertedResidual layer() const {
    InvertedResidual made{.expand = std::nullopt,
                          .depthwise = std::get<Conv2d>(depthwise->layer),
                          .project = std::get<Conv2d>(project->layer),
                          .tensors = {0, tensor_count(*depthwise), tensor_count(*project)}};
    if (expand != nullptr) {
      made.expand = std::get<Conv2d>(expand->layer);
      made.tensors[0] = tensor_count(*expand);
    }
    return made;
  }
};

// The block that ends with node `index`, if one does that pays to be fused.
std::optional<BlockNodes> block_at(const KernelTable& table, Graph& graph, std::size_t index, const KeptValues& kept) {
  BlockNodes block{.project = &graph.mutable_nodes()[index]};
  if (!std::holds_alternative<Conv2d>(block.project->layer)) return std::nullopt;
  block.depthwise = sole_convolution(graph, block.project->inputs[0], kept);
  if (block.depthwise == nullptr) return std::nullopt;
  const auto& filter = std::get<Conv2d>(block.depthwise->layer);
  const Shape wide = graph.shape(block.depthwise->inputs[0]);
  if (filter.residual || !filter.depthwise(wide)) return std::nullopt;
  const std::int64_t bytes = wide.count() / wide[0] * static_cast<std::int64_t>(sizeof(float));
  if (bytes <= kept_in_cache()) return std::nullopt;
  block.expand = sole_convolution(graph, block.depthwise->inputs[0], kept);
  const auto takes = [&] { return can_fuse(table, block.layer(), graph.shape(block.first().inputs[0])); };
  if (block.expand != nullptr && (std::get<Conv2d>(block.expand->layer).residual || !takes())) block.expand = nullptr;
  return takes() ? std::optional(block) : std::nullopt;
}

// What the last convolution adds must be written before the first one runs, where the layer will stand.
bool adds_what_is_there(Graph& graph, const BlockNodes& block) {
  const std::vector<ValueId>& inputs = block.project->inputs;
  return inputs.size() < 2 || graph.producer(inputs[1]) < &block.first();  // null: the graph's own input
}

// The first node becomes the layer and takes in the others.
void fuse(Graph& graph, const BlockNodes& block) {
  const auto index_of = [&](const Node* node) { return static_cast<std::size_t>(node - graph.nodes().data()); };
  Node& into = block.first();
  into.layer = block.layer();
  into.inputs.insert(into.inputs.end(), block.project->inputs.begin() + 1, block.project->inputs.end());
  std::vector<std::size_t> others{index_of(block.project)};
  if (block.expand != nullptr) others.insert(others.begin(), index_of(block.depthwise));
  for (const std::size_t other : others) {
    const std::vector<WeightSpec>& weights = graph.nodes()[other].weights;
    into.weights.insert(into.weights.end(), weights.begin(), weights.end());
  }
  for (std::size_t absorbed = 0; absorbed < others.size(); ++absorbed) graph.absorb(others[absorbed] - absorbed, into);
}

}  // namespace

void fuse_inverted_residuals(const KernelTable& table, Graph& graph, const KeptValues& kept) {
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    const std::optional<BlockNodes> block = block_at(table, graph, index, kept);
    if (!block || !adds_what_is_there(graph, *block)) continue;
    const auto first = static_cast<std::size_t>(&block->first() - graph.nodes().data());
    fuse(graph, *block);
    index = first;
  }
}

}  // namespace tessera::cpu
