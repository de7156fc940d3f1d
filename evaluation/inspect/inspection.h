#pragma once
// Describes what a model is made of: its graph, raw or after passes. Needs no weights.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/memory_plan.h"
#include "engine/module_tree.h"
#include "engine/passes.h"
#include "weights/model_file.h"

namespace tessera {

struct Inspection {
  ModelCard card;
  std::string state;  // "raw", "fused", or the name of the last pass that has run
  Graph graph;
  std::size_t raw_layers = 0;      // before any pass
  Cost raw_cost;                   // includes norms that passes fold away
  std::vector<PassResult> passes;  // that have run
  MemoryPlan plan;                 // of the graph in float32
};

// The graph for `batch` pictures after the passes up to `state`. Throws UsageError for an unknown state.
Inspection inspect_model(const ModelCard& card, const std::string& state, std::int64_t batch);

// The whole inspection. `depth`: modules whose path has more parts are left out.
nlohmann::json to_json(const Inspection& inspection, int depth);
// The nodes of a graph: path, layer, attributes, formula, inputs, shapes, costs, weights.
nlohmann::json layers_to_json(const Graph& graph);

// A tree of layers, totals by stage and by type, and the work of the passes.
std::string inspection_text(const Inspection& inspection, int depth);
// Two models or more side by side: totals, and parameters and multiply-adds by type of layer.
std::string comparison_text(const std::vector<Inspection>& inspections);

// The graph in Graphviz's language, a cluster a stage: `dot -Tsvg` draws it.
std::string inspection_dot(const Inspection& inspection);

}  // namespace tessera
