#pragma once
// Published weights by the names of their files. Private to weights/.

#include <optional>
#include <string>
#include <string_view>

#include "vision/preprocess.h"

namespace tessera {

struct KnownFile {
  std::string origin;  // "torchvision's IMAGENET1K_V2"
  Preprocess preprocess;
};

// The preprocessing of a published file with this name and SHA-256. A name that carries the first digits of its digest
// ("resnet50-11ad3fa6.pth") is believed only with that digest.
std::optional<KnownFile> find_known_file(std::string_view name, std::string_view sha256);

}  // namespace tessera
