#pragma once
// Graph: the network as a list of named layers in execution order.
//
// A model emits it layer by layer (Scope), passes rewrite it, a backend prepares it. A node's path is the state-dict
// prefix of its layer ("layer1.0.conv1"): weights, profiles, taps and errors all speak that name.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.h"
#include "core/value.h"
#include "core/weight_spec.h"
#include "layers/layer.h"

namespace tessera {

enum class ValueId : std::int32_t { kNone = -1 };

struct Node {
  std::string path;
  std::vector<std::string> origin;  // paths of the layers that this node computes, in order; itself first
  Layer layer;
  std::vector<ValueId> inputs;
  std::vector<WeightSpec> weights;  // state-dict names, in the order that the layer's prepare() takes them
  ValueId output = ValueId::kNone;
};

class Graph;

// A tensor in a graph under construction. Valid as long as the graph is not moved.
struct Value {
  Graph* graph = nullptr;
  ValueId id = ValueId::kNone;
  const Shape& shape() const;
};

// What a graph is given: a picture, token ids.
struct GraphInput {
  std::string name;
  ValueId id = ValueId::kNone;
  DType dtype = DType::kF32;
};

class Graph {
 public:
  // The picture, [N, H, W, 3]; N is the largest batch.
  Value input(const Shape& shape) { return input("image", shape); }
  // One of several inputs, with the same N. Indices (DType::kI32, kI64) go to layers that take them. A graph has one
  // output. Throws UsageError for a name that is taken, another N or another type.
  Value input(const std::string& name, const Shape& shape, DType dtype = DType::kF32);
  // Appends a layer. `weight_prefix` is what stands before the layer's leaf names ("layer1.0.conv1", or "" at the
  // root). Throws UsageError naming the path when the layer does not take the inputs' shapes.
  Value emit(const std::string& path, const std::string& weight_prefix, Layer layer, const std::vector<Value>& inputs);
  // Gives a value a further name that taps may use: the path of a block ("layer1.0").
  void name(const std::string& path, Value value);
  void set_output(Value value) { output_ = value.id; }

  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  const Shape& shape(ValueId id) const { return shapes_.at(static_cast<std::size_t>(id)); }
  std::size_t value_count() const noexcept { return shapes_.size(); }
  // In the order in which they were declared.
  const std::vector<GraphInput>& inputs() const noexcept { return inputs_; }
  // The first input, which is the only one of most graphs.
  ValueId input_id() const noexcept { return inputs_.empty() ? ValueId::kNone : inputs_.front().id; }
  bool is_input(ValueId id) const;
  ValueId output_id() const noexcept { return output_; }
  // Names under which values can be tapped, those of fused layers that still exist as a value included.
  const std::map<std::string, ValueId, std::less<>>& names() const noexcept { return names_; }
  // Dimension 0 of every value: how many pictures the graph is for.
  std::int64_t batch() const { return shape(input_id())[0]; }
  void set_batch(std::int64_t batch);
  // Shapes of a node's inputs.
  std::vector<Shape> input_shapes(const Node& node) const;
  // All tensors that the graph needs, in execution order.
  std::vector<WeightSpec> weight_specs() const;

  // For passes. How many nodes read the value, the graph's output counted as one more.
  int uses(ValueId id) const;
  // The node that writes the value, or null for an input of the graph.
  Node* producer(ValueId id);
  std::vector<Node>& mutable_nodes() noexcept { return nodes_; }
  // Removes node `index`, whose work `into` now does: `into` writes its output and remembers its origin.
  void absorb(std::size_t index, Node& into);
  // Removes node `index`, which passes its first input through: readers and names of its output go to that input.
  void bypass(std::size_t index);

  // Throws InternalError when a node reads a value before it is written, a value is written twice, or a shape differs
  // from what the layer says. Run after every pass.
  void verify() const;

 private:
  ValueId add_value(const Shape& shape);
  DType dtype(ValueId id) const;

  std::vector<Node> nodes_;
  std::vector<Shape> shapes_;
  std::map<std::string, ValueId, std::less<>> names_;
  std::vector<GraphInput> inputs_;
  ValueId output_ = ValueId::kNone;
};

// A place in the module tree: layers emitted under it get its path and find their weights by it.
struct Scope {
  Graph& graph;
  std::string path;
  Scope operator/(std::string_view child) const {
    return {graph, path.empty() ? std::string(child) : path + "." + std::string(child)};
  }
  Scope operator/(int child) const { return *this / std::to_string(child); }
};

// Emits a layer at the scope: conv2d and the like of models/ are this.
Value emit(const Scope& scope, Layer layer, const std::vector<Value>& inputs);
inline Value emit(const Scope& scope, Layer layer, Value input) {
  return emit(scope, std::move(layer), std::vector<Value>{input});
}

// What a layer, or several, cost for one picture, whatever batch the graph is for.
struct Cost {
  std::int64_t parameters = 0;       // running means and variances not counted, as PyTorch
  std::int64_t macs = 0;             // multiply-adds of convolutions, linear layers and attention's two products
  std::int64_t norm_operations = 0;  // see layer_norm_operations()
  std::int64_t activations = 0;      // values written
  std::int64_t activation_bytes() const { return activations * static_cast<std::int64_t>(sizeof(float)); }
  Cost& operator+=(const Cost& other);
  bool operator==(const Cost&) const = default;
};
Cost cost_of(const Graph& graph, const Node& node);
Cost totals(const Graph& graph);

}  // namespace tessera
