#pragma once
// What configuration files say about a network, in tessera's own parameters. Private to weights/.

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "models/registry.h"
#include "weights/name_maps.h"

namespace tessera {

struct Said {
  nlohmann::json value;
  std::string by;  // "num_attention_heads"
};

struct SaidNetwork {
  std::string architecture;                // timm's name, where one is named
  std::string family;                      // as the registry's; "" where nothing says it
  std::map<std::string, Said> parameters;  // by the family's parameter
  std::string follows;                     // whose defaults fill the gaps: "timm 1.0.31"
  std::string trained_by;                  // for messages: "config.json's architecture 'resnet50d'"
};

inline constexpr const char* kTimmVersion = "timm 1.0.31";
inline constexpr const char* kTransformersVersion = "transformers 5.23";

using IgnoredKeys = std::set<std::string>;

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

// "'act_layer' is "silu": tessera ..., `--ignore-config act_layer` ..."
[[noreturn]] void refuse_setting(const std::string& key, const nlohmann::json& value, const std::string& reason);

}  // namespace tessera
