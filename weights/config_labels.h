#pragma once
// The names of a converted model's classes. Private to weights/.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "vision/labels.h"
#include "weights/said_network.h"

namespace tessera {

// Of a model of so many classes whose config.json has transformers' id2label or timm's label_names and
// label_descriptions. `asked`: "", "imagenet-1k", "none", or a text file of a name a line. Placeholders (LABEL_0) are
// no names. Throws ModelFileError where there are more or fewer names than classes, one twice, one that is empty, or
// one that is not plain text.
LabelSet labels_of(const nlohmann::json& config, std::int64_t classes, const std::string& asked,
                   const std::function<void(const std::string&)>& note);

}  // namespace tessera
