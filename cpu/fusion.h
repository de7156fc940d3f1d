#pragma once
// Layers that the CPU computes better together than one after the other. Private to cpu/.

#include "cpu/kernels.h"
#include "engine/passes.h"

namespace tessera::cpu {

// A backend may fuse more than the passes do (Backend::rewrite, after them). Expand, depthwise and project
// convolutions, and pairs of the last two, become InvertedResidual layers where the map between them is larger than 1
// MiB, or than all of a smaller L2 cache. The bits are those of the three layers. A value in `kept`, one that is
// tapped, keeps them apart; `quantize` compiles without this, since it has to see every layer.
void fuse_inverted_residuals(const KernelTable& table, Graph& graph, const KeptValues& kept);

}  // namespace tessera::cpu
