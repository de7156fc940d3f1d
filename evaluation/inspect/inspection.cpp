#include "evaluation/inspect/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/error.h"

namespace tessera {

namespace {

std::vector<std::int64_t> to_vector(const Shape& shape) {
  return {shape.dimensions().begin(), shape.dimensions().end()};
}

nlohmann::json to_json(const Cost& cost) {
  return {{"parameters", cost.parameters},
          {"macs", cost.macs},
          {"norm_operations", cost.norm_operations},
          {"activation_bytes", cost.activation_bytes()}};
}

nlohmann::json to_json(const std::vector<Group>& groups) {
  nlohmann::json all = nlohmann::json::array();
  for (const Group& group : groups) {
    nlohmann::json one = to_json(group.cost);
    one["name"] = group.name;
    one["layers"] = group.layers;
    all.push_back(std::move(one));
  }
  return all;
}

void add_modules(nlohmann::json& all, const Graph& graph, const Module& module, int depth) {
  if (module.depth > depth) return;
  if (module.depth > 0) {
    nlohmann::json one = to_json(module.cost);
    one["path"] = module.path;
    one["depth"] = module.depth;
    one["layers"] = module.layers;
    one["layer"] = module.node == nullptr ? nlohmann::json() : nlohmann::json(layer_name(module.node->layer));
    one["output"] = to_vector(graph.shape(module.output));
    all.push_back(std::move(one));
  }
  for (const Module& child : module.children) add_modules(all, graph, child, depth);
}

nlohmann::json to_json(const PassResult& pass) {
  nlohmann::json folds = nlohmann::json::array();
  for (const Fold& fold : pass.folds) {
    folds.push_back(
        {{"layer", fold.layer}, {"into", fold.into.empty() ? nlohmann::json() : nlohmann::json(fold.into)}});
  }
  return {{"name", pass.name},
          {"what", pass.what},
          {"nodes_before", pass.nodes_before},
          {"nodes_after", pass.nodes_after},
          {"folded", std::move(folds)}};
}

nlohmann::json to_json(const Graph& graph, const Node& node, const std::map<ValueId, std::string>& writers) {
  nlohmann::json weights = nlohmann::json::array();
  for (const WeightSpec& spec : node.weights) {
    weights.push_back({{"name", spec.name}, {"shape", to_vector(spec.shape)}});
  }
  nlohmann::json inputs = nlohmann::json::array(), input_shapes = nlohmann::json::array();
  for (const ValueId id : node.inputs) {
    inputs.push_back(writers.at(id));
    input_shapes.push_back(to_vector(graph.shape(id)));
  }
  const Lesson lesson = layer_lesson(node.layer);
  nlohmann::json one = to_json(cost_of(graph, node));
  one.update({{"path", node.path},
              {"layer", layer_name(node.layer)},
              {"attributes", layer_attributes(node.layer)},
              {"formula", lesson.formula},
              {"source", lesson.source},
              {"origin", node.origin},
              {"inputs", std::move(inputs)},
              {"input_shapes", std::move(input_shapes)},
              {"output", to_vector(graph.shape(node.output))},
              {"weights", std::move(weights)}});
  return one;
}

}  // namespace

Inspection inspect_model(const ModelCard& card, const std::string& state, std::int64_t batch) {
  Inspection inspection{
      .card = card, .state = state, .graph = build_graph(card.config, batch), .raw_cost = {}, .passes = {}, .plan = {}};
  Graph& graph = inspection.graph;
  inspection.raw_layers = graph.nodes().size();
  inspection.raw_cost = totals(graph);
  const auto last = std::ranges::find(passes(), state, &Pass::name);
  if (state != "raw" && state != "fused" && last == passes().end()) {
    std::string names;
    for (const Pass& pass : passes()) names += fmt::format(", {}", pass.name);
    throw UsageError("--graph is raw, fused, or the pass after which to look" + names + "; not '" + state + "'");
  }
  for (const Pass& pass : passes()) {
    if (state == "raw") break;
    inspection.passes.push_back(run_pass(pass, graph, {}));
    if (pass.name == state) break;
  }
  inspection.plan = plan_memory(graph, std::vector<ValueType>(graph.value_count()), {});
  return inspection;
}

nlohmann::json layers_to_json(const Graph& graph) {
  std::map<ValueId, std::string> writers{{graph.input_id(), "input"}};
  nlohmann::json layers = nlohmann::json::array();
  for (const Node& node : graph.nodes()) {
    layers.push_back(to_json(graph, node, writers));
    writers[node.output] = node.path;
  }
  return layers;
}

nlohmann::json to_json(const Inspection& inspection, int depth) {
  const Graph& graph = inspection.graph;
  const ModelCard& card = inspection.card;
  nlohmann::json modules = nlohmann::json::array(), steps = nlohmann::json::array();
  add_modules(modules, graph, module_tree(graph), depth);
  for (const PassResult& pass : inspection.passes) steps.push_back(to_json(pass));
  nlohmann::json sum = to_json(inspection.raw_cost);
  sum["macs_and_norms"] = inspection.raw_cost.macs + inspection.raw_cost.norm_operations;
  sum["activations"] = totals(graph).activations;
  sum["activation_bytes"] = totals(graph).activation_bytes();
  sum["arena_bytes"] = inspection.plan.arena_bytes;
  sum["separate_bytes"] = inspection.plan.separate_bytes;
  return {{"model", card.name},
          {"architecture", card.config.architecture},
          {"paper", find_architecture(card.config.architecture).paper},
          {"parameters", card.config.parameters},
          {"preprocess", to_json(card.preprocess)},
          {"graph", inspection.state},
          {"batch", graph.batch()},
          {"input", to_vector(graph.shape(graph.input_id()))},
          {"layers", layers_to_json(graph)},
          {"modules", std::move(modules)},
          {"stages", to_json(by_stage(graph))},
          {"types", to_json(by_type(graph))},
          {"passes", std::move(steps)},
          {"totals", std::move(sum)}};
}

}  // namespace tessera
