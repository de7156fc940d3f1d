#pragma once
// The architectures that tessera builds. A model is an architecture, its parameters and its weights.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph.h"
#include "vision/preprocess.h"

namespace tessera {

// What decides a graph: the name that timm gives the architecture, and what differs from its row in the registry.
struct ModelConfig {
  std::string architecture;                              // "vit_base_patch16_224"
  nlohmann::json parameters = nlohmann::json::object();  // all of the family's parameters, defaults filled in
};

struct Architecture {
  std::string name;                  // timm's name: "resnet50"
  std::string family;                // "resnet"
  std::string paper;                 // "He et al. 2015, arXiv:1512.03385"
  nlohmann::json parameters;         // every parameter of the family with this row's value
  std::vector<std::string> decided;  // those that follow from the name
  Preprocess preprocess;             // what timm's configuration of the default weights says
  std::int64_t parameter_count = 0;  // counted on timm's modules; tests hold the graph against it
  std::int64_t macs = 0;             // multiply-adds of one picture at the default size
  std::uint64_t tensors = 0;         // digest of the names and shapes of timm's tensors
};

// All rows: of each family its well-known ones, then what else of timm's it builds, by name. Read-only.
std::span<const Architecture> architectures();

// Null where there is none of that name.
const Architecture* find_row(std::string_view name);
// Throws UsageError naming the kind of network, where it is one that tessera does not have, or the nearest names.
const Architecture& find_architecture(std::string_view name);

// What tessera lacks for a network of that name: "anti-aliased strides". "" where nothing is known of it.
std::string unsupported_kind(std::string_view name);

// The row's parameters overlaid with `overrides`. Throws UsageError for a key that the family does not have, naming it.
ModelConfig make_config(std::string_view architecture, const nlohmann::json& overrides = nlohmann::json::object());

// Builds the graph for up to `max_batch` pictures, as the paper draws it (no pass has run).
// Throws UsageError when a parameter has the wrong type or an impossible value.
Graph build_graph(const ModelConfig& config, std::int64_t max_batch = 1);

// Of the pictures that the model takes.
Sides picture_sides(const ModelConfig& config);

// Number of classes that the head gives, or 0 when the output is features.
std::int64_t class_count(const ModelConfig& config);

// The same network with a linear head of so many classes on its pooled features; with 0 these are the output. Throws
// UsageError for a negative number.
ModelConfig with_classes(ModelConfig config, std::int64_t classes);

// Of the lines "NAME 64x3x7x7\n" of all tensors, sorted: what `Architecture::tensors` is of timm's.
std::uint64_t digest_of_tensors(const Graph& graph);

}  // namespace tessera
