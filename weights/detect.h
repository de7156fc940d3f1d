#pragma once
// Finds which network a state dict is: compares what its configuration says with its names and shapes. Private to
// weights/.

#include "models/family.h"
#include "models/registry.h"
#include "weights/said_network.h"

namespace tessera {

// Everything that decides the graph is in the tensors, said by the configuration or the user, or certain: nothing is
// guessed. Calls `note` with what follows from shapes alone. Throws ModelFileError where the tensors contradict what is
// said (listing all), where they fit several networks, or where something is not said.
ModelConfig detect_architecture(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note);

}  // namespace tessera
