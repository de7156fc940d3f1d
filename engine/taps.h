#pragma once
// What a program with taps keeps after a run, and what keeping it costs in fusions.

#include <string>
#include <string_view>
#include <vector>

#include "engine/program.h"

namespace tessera {

struct TappedValue {
  std::string path;         // a layer's or a block's
  std::string_view layer;   // kind of the node that writes it: "Conv2d"; lives as long as the program
  std::string_view kernel;  // how that node is computed
  Shape shape;              // at the largest batch
};
// In the order of execution; of several names of one value the inner ones first. A name that means the input itself
// (an identity on it that was dropped) is left out.
std::vector<TappedValue> tapped_values(const Program& program);

// Layers that one kernel would compute, and that taps within keep apart: the paths that each kernel now computes.
struct UndoneFusion {
  std::vector<std::vector<std::string>> parts;
};
// "layer1.0.conv1 + layer1.0.bn1 | layer1.0.act1"
std::string to_string(const UndoneFusion& fusion);

// The graph as it is compiled without taps: with all passes, and with what the backend fuses itself if `rewrite`.
Graph fused_graph(Graph raw, const Backend& backend, bool rewrite = true);

// `fused` is that of the graph that the program was compiled from. None for a program without passes.
std::vector<UndoneFusion> undone_fusions(const Graph& fused, const Program& program);

// The names in a fused graph that match one of the patterns. Throws UsageError when there is none.
std::vector<std::string> names_that_fusions_keep(const Graph& fused, const std::vector<std::string>& patterns);

}  // namespace tessera
