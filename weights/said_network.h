#pragma once
// What configuration files say about a network, in tessera's own parameters. Private to weights/.

#include <nlohmann/json.hpp>
#include <string>

#include "models/registry.h"
#include "models/said.h"
#include "models/timm_table.h"

namespace tessera {

inline constexpr const char* kTransformersVersion = "transformers 5.23";

// Read a config.json; an empty one says nothing. Throw ModelFileError for settings that tessera does not have or does
// not know, naming the key, its value and what to do. Keys in `ignored` are treated as absent.
SaidNetwork network_of_config(const nlohmann::json& config, const IgnoredKeys& ignored);
// For a configuration that does not say the kind of network.
SaidNetwork unnamed_network(const nlohmann::json& config, const IgnoredKeys& ignored);
SaidNetwork timm_network(const nlohmann::json& config, const IgnoredKeys& ignored);
SaidNetwork hugging_face_network(const nlohmann::json& config, const IgnoredKeys& ignored);
// A network named by the user, over what the configuration says. Throws ModelFileError where both say a parameter and
// differ, UsageError for an unknown name.
SaidNetwork named_network(const SaidNetwork& said, const std::string& name);

// True for timm's config.json, which transformers' TimmWrapper writes as well.
bool is_timm_config(const nlohmann::json& config);

}  // namespace tessera
