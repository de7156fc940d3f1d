#pragma once
// Networks that tessera builds, by the names that timm gives them: more names than the registry has rows, since many
// names are one graph in other sizes. Private to weights/.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vision/preprocess.h"

namespace tessera {

struct KnownNetwork {
  std::string name;           // timm's: "vit_huge_patch14_224"
  std::string family;         // as the registry's
  nlohmann::json parameters;  // those of the family's that the name decides
  Preprocess preprocess;      // of timm's default configuration
};

// Read-only; of timm 1.0.31.
const std::vector<KnownNetwork>& known_networks();
// Null where there is none.
const KnownNetwork* find_known_network(std::string_view name);
// Throws UsageError naming the kind of network, where it is one that tessera does not have, or the nearest names.
const KnownNetwork& known_network(std::string_view name);

// What tessera lacks for a network of that name: "anti-aliased strides". "" where nothing is known of it.
std::string unsupported_kind(std::string_view name);

}  // namespace tessera
