// tessera inspect: the layers of a model.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "engine/memory_plan.h"
#include "engine/passes.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct InspectOptions {
  std::string model, graph = "raw";
  std::int64_t batch = 1;
  std::optional<int> image_size;
  bool json = false;
};

// The card of a model, or of a bare architecture with its defaults.
ModelCard card_of(const InspectOptions& options) {
  for (const Architecture& row : architectures()) {
    if (row.name == options.model) return open_card("seeded:" + row.name, {.image_size = options.image_size});
  }
  return open_card(options.model, {.image_size = options.image_size});
}

std::int64_t parameters_of(const Node& node) {
  std::int64_t sum = 0;
  for (const WeightSpec& spec : node.weights) {
    if (!spec.name.ends_with("running_mean") && !spec.name.ends_with("running_var")) sum += spec.shape.count();
  }
  return sum;
}

nlohmann::json to_json(const Graph& graph, const Node& node) {
  const Shape& out = graph.shape(node.output);
  nlohmann::json weights = nlohmann::json::array();
  for (const WeightSpec& spec : node.weights) {
    weights.push_back(
        {{"name", spec.name},
         {"shape", std::vector<std::int64_t>(spec.shape.dimensions().begin(), spec.shape.dimensions().end())}});
  }
  return {{"path", node.path},
          {"layer", layer_name(node.layer)},
          {"attributes", layer_attributes(node.layer)},
          {"origin", node.origin},
          {"output", std::vector<std::int64_t>(out.dimensions().begin(), out.dimensions().end())},
          {"parameters", parameters_of(node)},
          {"macs", layer_macs(node.layer, graph.input_shapes(node), out)},
          {"activation_bytes", out.count() * 4},
          {"weights", weights}};
}

void print_table(const Graph& graph) {
  std::size_t path_width = 4, layer_width = 5;
  for (const Node& node : graph.nodes()) {
    path_width = std::max(path_width, node.path.size());
    layer_width = std::max(layer_width, layer_name(node.layer).size());
  }
  fmt::print("{:<{}}  {:<{}}  {:>20}  {:>12}  {:>14}  {}\n", "Path", path_width, "Layer", layer_width, "Output",
             "Parameters", "MACs", "Attributes");
  for (const Node& node : graph.nodes()) {
    const Shape& out = graph.shape(node.output);
    fmt::print("{:<{}}  {:<{}}  {:>20}  {:>12}  {:>14}  {}\n", node.path, path_width, layer_name(node.layer),
               layer_width, to_string(out), parameters_of(node), layer_macs(node.layer, graph.input_shapes(node), out),
               layer_attributes(node.layer));
  }
}

int run_inspect(const InspectOptions& options) {
  if (options.graph != "raw" && options.graph != "fused") {
    throw UsageError("--graph is raw or fused, not '" + options.graph + "'");
  }
  const ModelCard card = card_of(options);
  Graph graph = build_graph(card.config, options.batch);
  const GraphTotals sum = totals(graph);
  std::vector<PassResult> pass_results;
  if (options.graph == "fused") pass_results = run_passes(graph, {});
  const MemoryPlan plan = plan_memory(graph, std::vector<ValueType>(graph.value_count()), {});
  if (options.json) {
    nlohmann::json layers = nlohmann::json::array();
    for (const Node& node : graph.nodes()) layers.push_back(to_json(graph, node));
    print_json({{"model", card.name},
                {"architecture", card.config.architecture},
                {"parameters", card.config.parameters},
                {"preprocess", to_json(card.preprocess)},
                {"graph", options.graph},
                {"layers", layers},
                {"totals",
                 {{"parameters", sum.parameters},
                  {"macs", sum.macs},
                  {"activations", sum.activations},
                  {"arena_bytes", plan.arena_bytes}}}});
    return 0;
  }
  fmt::print("{} ({}; {})\n", card.name, card.config.architecture, find_architecture(card.config.architecture).paper);
  fmt::print("Preprocessing: {}\n", describe(card.preprocess));
  if (!card.source.origin.empty()) fmt::print("Source: {} {}\n", card.source.origin, card.source.notes);
  for (const PassResult& pass : pass_results) {
    fmt::print("Pass {:<18} {:>4} -> {:>4} nodes\n", pass.name, pass.nodes_before, pass.nodes_after);
  }
  fmt::print("\n");
  print_table(graph);
  fmt::print("\nParameters         {:>15}\n", sum.parameters);
  fmt::print("MACs a picture     {:>15}  (convolutions, linear layers, attention products)\n", sum.macs);
  fmt::print("Weights            {:>12.1f} MB\n", static_cast<double>(sum.parameters) * 4 / 1e6);
  fmt::print("Activations        {:>12.1f} MB in one arena, {:.1f} MB if each had its own memory\n",
             static_cast<double>(plan.arena_bytes) / 1e6, static_cast<double>(plan.separate_bytes) / 1e6);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Outcome& outcome) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "Layers, shapes, parameters and multiply-adds of a model");
  command->add_option("model", options->model, "a model, or the name of an architecture")->required();
  command->add_option("--graph", options->graph, "raw: as the paper draws it; fused: as it runs")
      ->capture_default_str();
  command->add_option("--batch", options->batch, "pictures at once")->capture_default_str();
  command->add_option("--image-size", options->image_size, "side of the picture (default: the model's)");
  add_json_option(*command, options->json);
  command->footer("Examples:\n  tessera inspect resnet50\n  tessera inspect my-model.h5 --graph fused");
  command->callback([options, &outcome] { outcome.exit_code = run_inspect(*options); });
}

}  // namespace tessera
