#pragma once
// Preprocessing as other libraries write it down: transformers' preprocessor_config.json, timm's pretrained_cfg.
// Private to weights/.

#include <nlohmann/json_fwd.hpp>

#include "models/registry.h"
#include "vision/preprocess.h"
#include "weights/name_maps.h"

namespace tessera {

// Of the model whose config.json and preprocessor_config.json (empty objects where there are none) these are. Where
// they say nothing, the architecture's own holds, brought to the model's picture size. Throws ModelFileError for
// settings that tessera does not have, nlohmann's exceptions for fields of the wrong type.
Preprocess preprocess_of(const ModelConfig& config, NamingScheme scheme, const nlohmann::json& model_json,
                         const nlohmann::json& processor_json);

}  // namespace tessera
