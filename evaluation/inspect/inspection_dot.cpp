#include <fmt/format.h>

#include <map>

#include "core/visible_text.h"
#include "evaluation/inspect/inspection.h"

namespace tessera {

namespace {

// As it stands between quotes in DOT.
std::string dot_text(std::string_view text) {
  std::string escaped;
  for (const char c : visible_text(text)) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string inspection_dot(const Inspection& inspection) {
  const Graph& graph = inspection.graph;
  std::string dot = fmt::format(
      "digraph \"{}\" {{\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n"
      "  \"input\" [label=\"picture\\n{}\"];\n",
      dot_text(inspection.card.name), to_string(graph.shape(graph.input_id())));
  std::string edges, stage;
  const auto close_stage = [&] { dot += stage.empty() ? "" : "  }\n"; };
  std::map<ValueId, std::string> writers{{graph.input_id(), "input"}};
  for (const Node& node : graph.nodes()) {
    if (stage_of(node.path) != stage) {
      close_stage();
      stage = stage_of(node.path);
      dot += fmt::format("  subgraph \"cluster_{0}\" {{\n    label=\"{0}\"; style=\"rounded,filled\"; color=gray92;\n",
                         stage);
    }
    const std::string attributes = layer_attributes(node.layer);
    dot += fmt::format("    \"{0}\" [label=\"{0}\\n{1}{2}\\n{3}\"];\n", node.path, layer_name(node.layer),
                       attributes.empty() ? "" : " " + attributes, to_string(graph.shape(node.output)));
    for (const ValueId id : node.inputs) edges += fmt::format("  \"{}\" -> \"{}\";\n", writers.at(id), node.path);
    writers[node.output] = node.path;
  }
  close_stage();
  return dot + edges + "}\n";
}

}  // namespace tessera
