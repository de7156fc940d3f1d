#pragma once
// A layer's attributes as JSON: {"kernel": [3, 3], "activation": "relu", ...}, from its fields.

#include <string_view>

#include "core/json.h"
#include "layers/layer.h"

namespace tessera {

nlohmann::json layer_json(const Layer& layer);

// The layer called `name`; what `attributes` does not name is as usual. Throws UsageError for a name, an attribute or a
// value that is none.
Layer layer_from_json(std::string_view name, const nlohmann::json& attributes);

}  // namespace tessera
