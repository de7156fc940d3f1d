#include "engine/module_tree.h"

#include <algorithm>

#include "core/function_ref.h"

namespace tessera {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Module& child_of(Module& parent, const std::string& name) {
  const auto found = std::ranges::find(parent.children, name, &Module::name);
  if (found != parent.children.end()) return *found;
  Module child{.path = parent.path.empty() ? name : parent.path + "." + name,
               .name = name,
               .depth = parent.depth + 1,
               .children = {}};
  return parent.children.emplace_back(std::move(child));
}

std::vector<Group> grouped(const Graph& graph, FunctionRef<std::string(const Node&)> name_of) {
  std::vector<Group> groups;
  for (const Node& node : graph.nodes()) {
    const std::string name = name_of(node);
    auto found = std::ranges::find(groups, name, &Group::name);
    if (found == groups.end()) found = groups.insert(groups.end(), Group{.name = name, .cost = {}});
    ++found->layers;
    found->cost += cost_of(graph, node);
  }
  return groups;
}

}  // namespace

Module module_tree(const Graph& graph) {
  Module root;
  for (const Node& node : graph.nodes()) {
    const Cost cost = cost_of(graph, node);
    Module* module = &root;
    const auto count = [&] {
      ++module->layers;
      module->cost += cost;
      module->output = node.output;
    };
    count();
    for (const std::string& part : parts_of(node.path)) {
      module = &child_of(*module, part);
      count();
    }
    module->node = &node;
  }
  return root;
}

std::string stage_of(std::string_view path) {
  const std::size_t first = std::min(path.find('.'), path.size());
  const std::string_view name = path.substr(0, first);
  const bool numbered = !name.empty() && is_number(name.substr(name.size() - 1));
  if (first == path.size() || numbered) return std::string(name);
  const std::size_t second = std::min(path.find('.', first + 1), path.size());
  const bool list = is_number(path.substr(first + 1, second - first - 1));
  return std::string(list ? path.substr(0, second) : name);
}

std::string block_of(std::string_view path) {
  const std::size_t stage = stage_of(path).size();
  if (stage == path.size()) return std::string(path);
  const std::size_t next = std::min(path.find('.', stage + 1), path.size());
  return std::string(path.substr(0, is_number(path.substr(stage + 1, next - stage - 1)) ? next : stage));
}

std::vector<Group> by_stage(const Graph& graph) {
  return grouped(graph, [](const Node& node) { return stage_of(node.path); });
}

std::vector<Group> by_type(const Graph& graph) {
  return grouped(graph, [](const Node& node) { return std::string(layer_name(node.layer)); });
}

}  // namespace tessera
