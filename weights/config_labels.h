#pragma once
// The names of a converted model's classes. Private to weights/.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "vision/labels.h"
#include "weights/said_network.h"

namespace tessera {

// The class names of a model from its config.json: transformers' id2label, or timm's label_names and
// label_descriptions. `asked`: "", "imagenet-1k", "none", or a text file with one name a line. Placeholders (LABEL_0)
// do not count as names. Throws ModelFileError where there are more or fewer names than classes, or a name that stands
// twice, is empty or is not plain text.
LabelSet labels_of(const nlohmann::json& config, std::int64_t classes, const std::string& asked,
                   const std::function<void(const std::string&)>& note);

}  // namespace tessera
