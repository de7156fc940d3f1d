#pragma once
// Which network a state dict is: what its configuration says, held against its names and shapes. Private to weights/.

#include "models/family.h"
#include "models/registry.h"
#include "weights/said_network.h"

namespace tessera {

// Everything that decides the graph is either in the tensors, or said, or certain: nothing is guessed. Tells `note` of
// what follows from shapes alone. Throws ModelFileError where the tensors contradict what is said (listing all), where
// they fit several networks, or where something is not said.
ModelConfig detect_architecture(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note);

}  // namespace tessera
