#pragma once
// A graph as a tree of modules: paths cut at their dots, with what each layer and all below a module cost.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph.h"

namespace tessera {

// A module or a layer; a layer may have others below it ("bn1" and "bn1.act").
struct Module {
  std::string path;                 // "layer1.0"; the root's is empty
  std::string name;                 // its last part: "0"
  int depth = 0;                    // parts of the path
  const Node* node = nullptr;       // where a layer bears the path itself
  ValueId output = ValueId::kNone;  // of the last layer in it
  std::size_t layers = 0;           // in it, itself counted
  Cost cost;                        // of all of them
  std::vector<Module> children;     // in the order of execution
};
// Looks at the graph's nodes, which must outlive it unchanged.
Module module_tree(const Graph& graph);

// The part of the network that a path belongs to: "layer1" of "layer1.0.conv1", "blocks.3" of "blocks.3.attn.qkv",
// "conv1" of "conv1". The first part, with its number where it is the name of a list.
std::string stage_of(std::string_view path);
// The block of the stage: "layer1.0" of "layer1.0.conv1", "blocks.2.1" of "blocks.2.1.conv_pw". The stage itself where
// it is one block ("blocks.3" of a ViT) or one layer.
std::string block_of(std::string_view path);

// What all layers of one stage or one type come to, in the order of execution.
struct Group {
  std::string name;
  std::size_t layers = 0;
  Cost cost;
};
std::vector<Group> by_stage(const Graph& graph);
std::vector<Group> by_type(const Graph& graph);

}  // namespace tessera
