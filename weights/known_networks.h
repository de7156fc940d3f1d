#pragma once
// Networks that tessera builds, by timm's names: more names than the registry has rows, since many names are one graph
// in other sizes. Private to weights/.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vision/preprocess.h"

namespace tessera {

struct KnownNetwork {
  std::string name;           // timm's: "vit_huge_patch14_224"
  std::string family;         // as the registry's
  nlohmann::json parameters;  // the parameters of the family that the name decides
  Preprocess preprocess;      // of timm's default configuration
};

// Read-only; of timm 1.0.31.
const std::vector<KnownNetwork>& known_networks();
// Null for an unknown name.
const KnownNetwork* find_known_network(std::string_view name);
// Throws UsageError: with the kind of network, where tessera does not have it, else with the nearest names.
const KnownNetwork& known_network(std::string_view name);

// What tessera lacks for a network of that name: "anti-aliased strides". "" for an unknown name.
std::string unsupported_kind(std::string_view name);

}  // namespace tessera
