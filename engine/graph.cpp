#include "engine/graph.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"

namespace tessera {

const Shape& Value::shape() const { return graph->shape(id); }

ValueId Graph::add_value(const Shape& shape) {
  shapes_.push_back(shape);
  return static_cast<ValueId>(shapes_.size() - 1);
}

Value Graph::input(const std::string& name, const Shape& shape, DType dtype) {
  if (dtype != DType::kF32 && !is_index(dtype)) {
    throw UsageError("input '" + name + "': is f32, i32 or i64, not " + std::string(to_string(dtype)));
  }
  if (std::ranges::find(inputs_, name, &GraphInput::name) != inputs_.end()) {
    throw UsageError("two inputs are called '" + name + "'");
  }
  if (shape.rank() < 1 || (!inputs_.empty() && shape[0] != batch())) {
    throw UsageError("input '" + name + "' " + to_string(shape) + " is for another batch than the first");
  }
  inputs_.push_back({name, add_value(shape), dtype});
  return {this, inputs_.back().id};
}

bool Graph::is_input(ValueId id) const { return std::ranges::find(inputs_, id, &GraphInput::id) != inputs_.end(); }

DType Graph::dtype(ValueId id) const {
  const auto found = std::ranges::find(inputs_, id, &GraphInput::id);
  return found == inputs_.end() ? DType::kF32 : found->dtype;
}

Value Graph::emit(const std::string& path, const std::string& weight_prefix, Layer layer,
                  const std::vector<Value>& inputs) {
  Node node{.path = path, .origin = {path}, .layer = std::move(layer), .inputs = {}, .weights = {}};
  for (const Value& value : inputs) node.inputs.push_back(value.id);
  const std::vector<Shape> in = input_shapes(node);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const bool given = is_index(dtype(node.inputs[i])), taken = layer_takes_index(node.layer, i);
    if (given == taken) continue;
    throw UsageError(path + ": " + std::string(layer_name(node.layer)) + (taken ? " takes indices" : " takes f32") +
                     ", not " + std::string(to_string(dtype(node.inputs[i]))));
  }
  Shape out;
  try {
    out = layer_output_shape(node.layer, in);
  } catch (const UsageError& error) {
    throw UsageError(path + ": " + error.what());
  }
  node.weights = layer_weights(node.layer, in);
  for (WeightSpec& spec : node.weights) {
    if (!weight_prefix.empty()) spec.name = weight_prefix + "." + spec.name;
  }
  node.output = add_value(out);
  const Value value{this, node.output};
  nodes_.push_back(std::move(node));
  name(path, value);
  return value;
}

void Graph::name(const std::string& path, Value value) {
  if (!names_.emplace(path, value.id).second) throw InternalError("two layers are called '" + path + "'");
}

void Graph::set_batch(std::int64_t batch) {
  for (Shape& shape : shapes_) shape[0] = batch;
}

std::vector<Shape> Graph::input_shapes(const Node& node) const {
  std::vector<Shape> shapes;
  shapes.reserve(node.inputs.size());
  for (const ValueId id : node.inputs) shapes.push_back(shape(id));
  return shapes;
}

std::vector<WeightSpec> Graph::weight_specs() const {
  std::vector<WeightSpec> specs;
  for (const Node& node : nodes_) specs.insert(specs.end(), node.weights.begin(), node.weights.end());
  return specs;
}

int Graph::uses(ValueId id) const {
  auto count = static_cast<std::ptrdiff_t>(output_ == id);
  for (const Node& node : nodes_) count += std::ranges::count(node.inputs, id);
  return static_cast<int>(count);
}

Node* Graph::producer(ValueId id) {
  const auto found = std::ranges::find(nodes_, id, &Node::output);
  return found == nodes_.end() ? nullptr : &*found;
}

void Graph::absorb(std::size_t index, Node& into) {
  const Node& removed = nodes_[index];
  std::erase_if(names_, [&](const auto& entry) { return entry.second == into.output; });
  into.output = removed.output;
  into.origin.insert(into.origin.end(), removed.origin.begin(), removed.origin.end());
  nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Graph::bypass(std::size_t index) {
  const ValueId from = nodes_[index].output;
  const ValueId to = nodes_[index].inputs[0];
  nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(index));
  for (Node& node : nodes_) std::ranges::replace(node.inputs, from, to);
  for (auto& [path, id] : names_) {
    if (id == from) id = to;
  }
  if (output_ == from) output_ = to;
}

void Graph::verify() const {
  std::set<ValueId> written;
  for (const GraphInput& input : inputs_) written.insert(input.id);
  for (const Node& node : nodes_) {
    for (const ValueId id : node.inputs) {
      if (!written.contains(id)) throw InternalError(node.path + " reads a value before it is written");
    }
    const std::vector<Shape> in = input_shapes(node);
    if (layer_output_shape(node.layer, in) != shape(node.output)) {
      throw InternalError(node.path + " writes " + to_string(layer_output_shape(node.layer, in)) + " where " +
                          to_string(shape(node.output)) + " is declared");
    }
    if (!written.insert(node.output).second) throw InternalError(node.path + " writes a value a second time");
  }
  if (!written.contains(output_)) throw InternalError("the graph's output is not written");
}

Value emit(const Scope& scope, Layer layer, const std::vector<Value>& inputs) {
  return scope.graph.emit(scope.path, scope.path, std::move(layer), inputs);
}

Cost& Cost::operator+=(const Cost& other) {
  parameters += other.parameters;
  macs += other.macs;
  norm_operations += other.norm_operations;
  activations += other.activations;
  return *this;
}

Cost cost_of(const Graph& graph, const Node& node) {
  const std::vector<Shape> in = graph.input_shapes(node);
  const Shape& out = graph.shape(node.output);
  const std::int64_t batch = graph.batch();
  Cost cost{.macs = layer_macs(node.layer, in, out) / batch,
            .norm_operations = layer_norm_operations(node.layer, in, out) / batch,
            .activations = out.count() / batch};
  for (const WeightSpec& spec : node.weights) {
    const bool statistic = spec.name.ends_with("running_mean") || spec.name.ends_with("running_var");
    if (!statistic) cost.parameters += spec.shape.count();
  }
  return cost;
}

Cost totals(const Graph& graph) {
  Cost sum;
  for (const Node& node : graph.nodes()) sum += cost_of(graph, node);
  return sum;
}

}  // namespace tessera
