#include "engine/taps.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/error.h"

namespace tessera {

std::vector<TappedValue> tapped_values(const Program& program) {
  const Graph& graph = program.graph();
  std::map<ValueId, std::size_t> producers;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) producers.emplace(graph.nodes()[n].output, n);

  std::vector<std::tuple<std::size_t, std::ptrdiff_t, std::string>> order;  // node, depth of the name, name
  for (const std::string& path : program.taps()) {
    const auto producer = producers.find(graph.names().at(path));
    if (producer != producers.end()) order.emplace_back(producer->second, -std::ranges::count(path, '.'), path);
  }
  std::ranges::sort(order);
  std::vector<TappedValue> values;
  for (const auto& [n, depth, path] : order) {
    const Node& node = graph.nodes()[n];
    values.push_back({path, layer_name(node.layer), program.kernel(n).implementation(), graph.shape(node.output)});
  }
  return values;
}

std::string to_string(const UndoneFusion& fusion) {
  std::string text;
  for (const std::vector<std::string>& part : fusion.parts) {
    if (!text.empty()) text += " | ";
    for (std::size_t i = 0; i < part.size(); ++i) text += (i == 0 ? "" : " + ") + part[i];
  }
  return text;
}

Graph fused_graph(Graph raw, const Backend& backend, bool rewrite) {
  run_passes(raw, {});
  if (rewrite) backend.rewrite(raw, {});
  return raw;
}

std::vector<UndoneFusion> undone_fusions(const Graph& fused, const Program& program) {
  if (program.pass_results().empty()) return {};
  std::map<std::string_view, std::size_t> now;  // which node computes a layer
  const std::vector<Node>& nodes = program.graph().nodes();
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (const std::string& path : nodes[n].origin) now.emplace(path, n);
  }
  std::vector<UndoneFusion> undone;
  for (const Node& node : fused.nodes()) {
    std::map<std::size_t, std::vector<std::string>> parts;
    for (const std::string& path : node.origin) parts[now.at(path)].push_back(path);
    if (parts.size() < 2) continue;
    UndoneFusion& fusion = undone.emplace_back();
    for (auto& [n, paths] : parts) fusion.parts.push_back(std::move(paths));
  }
  return undone;
}

std::vector<std::string> names_that_fusions_keep(const Graph& fused, const std::vector<std::string>& patterns) {
  std::vector<std::string> kept;
  for (const auto& [path, id] : fused.names()) {
    const auto matches = [&, &path = path](const std::string& pattern) { return glob_match(pattern, path); };
    if (id != fused.input_id() && std::ranges::any_of(patterns, matches)) kept.push_back(path);
  }
  if (kept.empty()) throw UsageError("all layers that match the taps are parts of fusions");
  return kept;
}

}  // namespace tessera
