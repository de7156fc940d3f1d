#pragma once
// Chooses between ways of computing a layer by measuring them, where a rule by shapes cannot know the machine.

#include "cpu/cpu_backend.h"
#include "engine/graph.h"

namespace tessera {

// Measures every layer of a fused graph that can be computed in more than one way and has no choice in
// options.choices, and returns those with the new ones. Weights come from memory, activations from the caches, as in a
// run of the model. Takes tens of milliseconds for each shape of layer; other work on the machine falsifies it. The
// rule's choice is kept unless another is clearly faster.
//
// Choices are for the graph's batch and this number of threads. As ways differ by rounding, so may logits between
// settings that were tuned apart.
KernelChoices tune_kernels(const Graph& graph, const CpuOptions& options, int threads);

}  // namespace tessera
