#pragma once
// Layers that the CPU computes better together than one after the other. Private to cpu/.

#include "cpu/kernels.h"
#include "engine/passes.h"

namespace tessera::cpu {

// Expand, depthwise and project convolutions, and pairs of the last two, become InvertedResidual layers where the map
// between them is too large for the L2 cache. Values in `kept` go on to exist.
void fuse_inverted_residuals(const KernelTable& table, Graph& graph, const KeptValues& kept);

}  // namespace tessera::cpu
