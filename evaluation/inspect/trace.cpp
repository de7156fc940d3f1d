#include "evaluation/inspect/trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "engine/module_tree.h"

namespace tessera {

namespace {
using Json = nlohmann::json;
}  // namespace

// One row of a process being written.
class Trace::Row {
 public:
  Row(std::vector<Json>& events, int pid, std::size_t thread, std::int64_t origin_ns)
      : events_(events), pid_(pid), tid_(thread + 1), origin_ns_(origin_ns) {}

  void name(const std::string& text) {
    events_.push_back(
        Json{{"ph", "M"}, {"name", "thread_name"}, {"pid", pid_}, {"tid", tid_}, {"args", {{"name", text}}}});
    events_.push_back(Json{
        {"ph", "M"}, {"name", "thread_sort_index"}, {"pid", pid_}, {"tid", tid_}, {"args", {{"sort_index", tid_}}}});
  }
  void span(const std::string& text, const char* category, std::int64_t begin_ns, std::int64_t end_ns, Json arguments) {
    events_.push_back(Json{{"ph", "X"},
                           {"name", text},
                           {"cat", category},
                           {"pid", pid_},
                           {"tid", tid_},
                           {"ts", static_cast<double>(begin_ns - origin_ns_) / 1e3},
                           {"dur", static_cast<double>(end_ns - begin_ns) / 1e3},
                           {"args", std::move(arguments)}});
  }

 private:
  std::vector<Json>& events_;
  int pid_;
  std::size_t tid_;
  std::int64_t origin_ns_;
};

Trace::Trace(const Program& program)
    : nodes_(static_cast<std::size_t>(program.lanes())), parts_(static_cast<std::size_t>(program.threads())) {
  const Graph& graph = program.graph();
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    texts_.push_back({.path = node.path,
                      .stage = stage_of(node.path),
                      .block = block_of(node.path),
                      .layer = std::string(layer_name(node.layer)),
                      .kernel = std::string(program.kernel(n).implementation()),
                      .output = to_string(graph.shape(node.output))});
  }
}

void Trace::after_node(const NodeEvent& event) {
  nodes_[static_cast<std::size_t>(event.lane)].push_back({{event.begin_ns, event.end_ns}, event.index, event.picture});
}

void Trace::after_part(int thread, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t tasks) {
  parts_[static_cast<std::size_t>(thread)].push_back({{begin_ns, end_ns}, tasks});
}

void Trace::end_run(std::int64_t begin_ns, std::int64_t end_ns) { runs_.push_back({begin_ns, end_ns}); }

std::int64_t Trace::begin_ns() const {
  if (runs_.empty()) throw InternalError("a trace without runs");
  return runs_.front().begin_ns;
}

void Trace::write_nodes(Row& row, const std::vector<NodeSpan>& nodes) const {
  // Neighbours of one stage, and within it of one block, are one span.
  const auto group = [&](const char* category, const auto& key) {
    for (std::size_t first = 0, next = 0; first < nodes.size(); first = next) {
      const std::string& text = key(texts_[nodes[first].node]);
      for (next = first + 1; next < nodes.size(); ++next) {
        if (key(texts_[nodes[next].node]) != text || nodes[next].node <= nodes[next - 1].node) break;
      }
      const bool one_layer = next == first + 1 && texts_[nodes[first].node].path == text;
      const bool same = std::string_view(category) == "block" && texts_[nodes[first].node].stage == text;
      if (one_layer || same) continue;
      row.span(text, category, nodes[first].span.begin_ns, nodes[next - 1].span.end_ns, Json::object());
    }
  };
  group("stage", [](const NodeText& text) -> const std::string& { return text.stage; });
  group("block", [](const NodeText& text) -> const std::string& { return text.block; });
  for (const NodeSpan& node : nodes) {
    const NodeText& text = texts_[node.node];
    row.span(text.path, "node", node.span.begin_ns, node.span.end_ns,
             {{"layer", text.layer}, {"kernel", text.kernel}, {"output", text.output}, {"picture", node.picture}});
  }
}

// The node of the first lane that ran then, or null.
const Trace::NodeSpan* Trace::node_at(std::int64_t ns) const {
  const std::vector<NodeSpan>& nodes = nodes_.front();
  const auto after = std::ranges::upper_bound(nodes, ns, {}, [](const NodeSpan& node) { return node.span.begin_ns; });
  return after == nodes.begin() ? nullptr : &*std::prev(after);
}

void Trace::write(std::vector<Json>& events, int pid, const std::string& name, std::int64_t origin_ns) const {
  const bool lanes = nodes_.size() > 1;
  events.push_back(Json{{"ph", "M"}, {"name", "process_name"}, {"pid", pid}, {"tid", 0}, {"args", {{"name", name}}}});
  for (std::size_t thread = 0; thread < parts_.size(); ++thread) {
    Row row(events, pid, thread, origin_ns);
    row.name("thread " + std::to_string(thread) + (thread == 0 && !lanes ? " (runs the nodes)" : ""));
    for (std::size_t i = 0; thread == 0 && i < runs_.size(); ++i) {
      row.span("run " + std::to_string(i), "run", runs_[i].begin_ns, runs_[i].end_ns, Json::object());
    }
    if (thread < nodes_.size()) write_nodes(row, nodes_[thread]);
    for (const Part& part : parts_[thread]) {
      // A region lies within a node, or holds all that a lane does of a run.
      const NodeSpan* node = lanes ? nullptr : node_at(part.span.begin_ns);
      if (node == nullptr && !lanes) throw InternalError("a parallel region outside of all nodes");
      row.span(node == nullptr ? "pictures of its own" : texts_[node->node].path, "thread", part.span.begin_ns,
               part.span.end_ns, {{"tasks", part.tasks}});
    }
  }
}

Json trace_document(const std::vector<Trace>& traces, const std::vector<std::string>& names) {
  std::vector<Json> spans;
  std::int64_t origin = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    origin = i == 0 ? traces[i].begin_ns() : std::min(origin, traces[i].begin_ns());
  }
  for (std::size_t i = 0; i < traces.size(); ++i) traces[i].write(spans, static_cast<int>(i) + 1, names[i], origin);
  // By time, those that hold others first; names of rows (no "ts") before all.
  std::ranges::stable_sort(
      spans, {}, [](const Json& event) { return std::pair(event.value("ts", -1.0), -event.value("dur", 0.0)); });
  return {{"traceEvents", spans}, {"displayTimeUnit", "ms"}, {"otherData", {{"made_by", "tessera " TESSERA_VERSION}}}};
}

}  // namespace tessera
