#pragma once
// Which architecture a state dict is, from its names and shapes. Private to weights/.

#include <nlohmann/json_fwd.hpp>

#include "models/registry.h"
#include "weights/name_maps.h"

namespace tessera {

// `hints` is a config.json (timm's or transformers'), or an empty object. Throws ModelFileError when nothing fits.
ModelConfig detect_architecture(const RenamedWeights& renamed, const nlohmann::json& hints);
// The same with the architecture given.
ModelConfig detect_parameters(const RenamedWeights& renamed, const nlohmann::json& hints, const std::string& name);

}  // namespace tessera
