#include "engine/passes.h"

#include <array>
#include <map>

namespace tessera {

namespace {

// Calls rewrite(index) for each node from the first on; it returns true when it removed the node at `index`.
template <class Rewrite>
void for_each_node(Graph& graph, const Rewrite& rewrite) {
  for (std::size_t index = 0; index < graph.nodes().size();) {
    if (!rewrite(index)) ++index;
  }
}

// The node that writes `id`, when nothing else reads it and nobody wants to see it; otherwise null.
Node* sole_producer(Graph& graph, ValueId id, const KeptValues& kept) {
  if (kept.contains(id) || graph.uses(id) != 1) return nullptr;
  return graph.producer(id);
}

// What the passes may do with a layer. Each type of layer answers; one without an overload does not compile.

// The fields of a layer that adds a residual and applies an activation where it stores its result; null for others.
struct Epilogue {
  bool* residual = nullptr;
  ActivationKind* activation = nullptr;
};
struct EpilogueOf {
  Epilogue operator()(Conv2d& conv) const { return {&conv.residual, &conv.activation}; }
  Epilogue operator()(Linear& linear) const { return {&linear.residual, &linear.activation}; }
  template <OneOf<Activation, Add, Attention, BatchNorm, Concat, Dropout, Flatten, GlobalAveragePool, InvertedResidual,
                  LayerNorm, LayerScale, Multiply, PatchEmbed, Pool2d, Softmax, TokenEmbed, TokenPool>
                Other>
  Epilogue operator()(Other&) const {
    return {};
  }
};

// Whether a layer gives its input as it is.
struct IsIdentity {
  std::size_t inputs;

  bool operator()(const Dropout&) const { return true; }
  bool operator()(const Activation& activation) const { return activation.kind == ActivationKind::kNone; }
  bool operator()(const Pool2d& pool) const {
    return pool.kernel == Size2(1) && pool.stride == Size2(1) && pool.padding == Size2(0);
  }
  bool operator()(const Concat&) const { return inputs == 1; }
  template <OneOf<Add, Attention, BatchNorm, Conv2d, Flatten, GlobalAveragePool, InvertedResidual, LayerNorm,
                  LayerScale, Linear, Multiply, PatchEmbed, Softmax, TokenEmbed, TokenPool>
                Other>
  bool operator()(const Other&) const {
    return false;
  }
};

constexpr std::array<Pass, 5> kPasses{{
    {"drop_identities", "removes layers that change nothing at inference", drop_identities},
    {"fold_batch_norm", "multiplies batch norms into the convolutions before them", fold_batch_norm},
    {"fold_layer_scale", "multiplies layer scales into the linear layers before them", fold_layer_scale},
    {"fuse_residual", "adds the shortcut where a convolution or linear layer stores its result", fuse_residual},
    {"fuse_activation", "applies the activation where a convolution or linear layer stores its result",
     fuse_activation},
}};

}  // namespace

void drop_identities(Graph& graph, const KeptValues&) {
  for_each_node(graph, [&](std::size_t index) {
    const Node& node = graph.nodes()[index];
    if (!std::visit(IsIdentity{node.inputs.size()}, node.layer)) return false;
    graph.bypass(index);  // the value's names go to the input, so that a tap on it still works
    return true;
  });
}

void fold_batch_norm(Graph& graph, const KeptValues& kept) {
  for_each_node(graph, [&](std::size_t index) {
    const Node& norm = graph.nodes()[index];
    const auto* layer = std::get_if<BatchNorm>(&norm.layer);
    if (layer == nullptr) return false;
    Node* producer = sole_producer(graph, norm.inputs[0], kept);
    auto* conv = producer == nullptr ? nullptr : std::get_if<Conv2d>(&producer->layer);
    if (conv == nullptr || conv->residual || conv->activation != ActivationKind::kNone || conv->folded_batch_norm) {
      return false;
    }
    conv->folded_batch_norm = layer->epsilon;
    conv->bias = true;
    producer->weights.insert(producer->weights.end(), norm.weights.begin(), norm.weights.end());
    graph.absorb(index, *producer);
    return true;
  });
}

void fold_layer_scale(Graph& graph, const KeptValues& kept) {
  for_each_node(graph, [&](std::size_t index) {
    const Node& scale = graph.nodes()[index];
    if (!std::holds_alternative<LayerScale>(scale.layer)) return false;
    Node* producer = sole_producer(graph, scale.inputs[0], kept);
    auto* linear = producer == nullptr ? nullptr : std::get_if<Linear>(&producer->layer);
    if (linear == nullptr || linear->residual || linear->activation != ActivationKind::kNone ||
        linear->folded_layer_scale) {
      return false;
    }
    linear->folded_layer_scale = true;
    producer->weights.insert(producer->weights.end(), scale.weights.begin(), scale.weights.end());
    graph.absorb(index, *producer);
    return true;
  });
}

void fuse_residual(Graph& graph, const KeptValues& kept) {
  for_each_node(graph, [&](std::size_t index) {
    const Node& add = graph.nodes()[index];
    if (!std::holds_alternative<Add>(add.layer) || add.inputs[0] == add.inputs[1]) return false;
    // Only the producer that runs later may add: the other operand is written by then.
    Node* first = graph.producer(add.inputs[0]);
    Node* second = graph.producer(add.inputs[1]);
    const std::size_t later = second > first ? 1 : 0;
    Node* producer = sole_producer(graph, add.inputs[later], kept);
    const Epilogue epilogue = producer == nullptr ? Epilogue{} : std::visit(EpilogueOf(), producer->layer);
    if (epilogue.residual == nullptr) return false;
    if (*epilogue.residual || *epilogue.activation != ActivationKind::kNone) return false;
    *epilogue.residual = true;
    producer->inputs.push_back(add.inputs[1 - later]);
    graph.absorb(index, *producer);
    return true;
  });
}

void fuse_activation(Graph& graph, const KeptValues& kept) {
  for_each_node(graph, [&](std::size_t index) {
    const Node& node = graph.nodes()[index];
    const auto* activation = std::get_if<Activation>(&node.layer);
    if (activation == nullptr) return false;
    Node* producer = sole_producer(graph, node.inputs[0], kept);
    const Epilogue epilogue = producer == nullptr ? Epilogue{} : std::visit(EpilogueOf(), producer->layer);
    if (epilogue.activation == nullptr) return false;
    if (*epilogue.activation != ActivationKind::kNone) return false;
    *epilogue.activation = activation->kind;
    graph.absorb(index, *producer);
    return true;
  });
}

std::span<const Pass> passes() { return kPasses; }

PassResult run_pass(const Pass& pass, Graph& graph, const KeptValues& kept) {
  std::vector<std::string> before;
  for (const Node& node : graph.nodes()) before.push_back(node.path);
  pass.run(graph, kept);
  graph.verify();
  PassResult result{pass.name, pass.what, before.size(), graph.nodes().size(), {}};
  if (result.nodes_after == result.nodes_before) return result;
  std::map<std::string, std::string> node_of;  // by the layers that it computes
  for (const Node& node : graph.nodes()) {
    for (const std::string& layer : node.origin) node_of[layer] = node.path;
  }
  for (const std::string& path : before) {
    const auto found = node_of.find(path);
    if (found == node_of.end()) result.folds.push_back({path, ""});
    if (found != node_of.end() && found->second != path) result.folds.push_back({path, found->second});
  }
  return result;
}

std::vector<PassResult> run_passes(Graph& graph, const KeptValues& kept) {
  std::vector<PassResult> results;
  for (const Pass& pass : passes()) results.push_back(run_pass(pass, graph, kept));
  return results;
}

}  // namespace tessera
