#pragma once
// Weights made from a counter: full-size models without weight files, the same bits in C++ and in NumPy
// (tests/reference/seeded.py). docs/seeded-weights.md has the definition.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/weight_spec.h"
#include "weights/model_file.h"

namespace tessera {

// What the card of such a model gives as its origin.
inline constexpr const char* kSeededOrigin = "seeded";

// The model `seeded:architecture@seed`, each tensor made when it is taken; and its card alone.
LoadedModel seeded_model(const ModelConfig& config, std::uint64_t seed, int threads = 1);
OpenedModel open_seeded(const ModelConfig& config, std::uint64_t seed);
ModelCard seeded_card(const ModelConfig& config, std::uint64_t seed);

// Values of one tensor, within the range that its layer declared (WeightSpec::seeded).
Tensor seeded_tensor(const WeightSpec& spec, std::uint64_t seed);

}  // namespace tessera
