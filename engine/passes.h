#pragma once
// Passes: rewrites of a graph that keep its results. Each works on the graph alone; the values of folded weights are
// computed once by the layer's prepare().

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph.h"

namespace tessera {

// Values that must go on to exist: those that are tapped. A pass leaves alone what would hide one.
using KeptValues = std::set<ValueId>;

// Removes layers that change nothing: dropout, pooling with kernel and stride 1, concat of one, activation "none".
void drop_identities(Graph& graph, const KeptValues& kept);
// conv -> batch norm becomes a convolution with other weights.
void fold_batch_norm(Graph& graph, const KeptValues& kept);
// linear -> layer scale becomes a linear layer with other weights.
void fold_layer_scale(Graph& graph, const KeptValues& kept);
// add(conv or linear, r) becomes part of the store of the producer that runs later.
void fuse_residual(Graph& graph, const KeptValues& kept);
// conv or linear -> activation becomes part of the store.
void fuse_activation(Graph& graph, const KeptValues& kept);

struct Pass {
  std::string_view name;
  std::string_view what;  // for `inspect --graph fused`
  void (*run)(Graph&, const KeptValues&);
};
// The passes in the order in which they run.
std::span<const Pass> passes();

// A layer that a pass made part of another node, or removed because it changes nothing.
struct Fold {
  std::string layer;
  std::string into;  // the node's path; empty: removed
};
struct PassResult {
  std::string_view name;
  std::string_view what;
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
  std::vector<Fold> folds;  // in the order of execution
};
// Runs one pass, followed by Graph::verify().
PassResult run_pass(const Pass& pass, Graph& graph, const KeptValues& kept);
// Runs all passes.
std::vector<PassResult> run_passes(Graph& graph, const KeptValues& kept);

}  // namespace tessera
