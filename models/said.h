#pragma once
// What configuration files say of a network, in the parameters of its family.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace tessera {

struct Said {
  nlohmann::json value;
  std::string by;  // "num_attention_heads"
};

struct SaidNetwork {
  std::string architecture;                // timm's name, where one is named
  std::string family;                      // as the registry's; "" where nothing says it
  std::map<std::string, Said> parameters;  // by the family's parameter
  nlohmann::json picture;                  // height and width, where a configuration says them; null otherwise
  std::string follows;                     // whose defaults fill the gaps: "timm 1.0.31"
  std::string trained_by;                  // for messages: "config.json's architecture 'resnet50d'"
};

using IgnoredKeys = std::set<std::string>;             // of the configuration, taken as not there
using Note = std::function<void(const std::string&)>;  // is told, in a line, what was decided without being said

// "'act_layer' is "silu": tessera ..., `--ignore-config act_layer` ..."
[[noreturn]] void refuse_setting(const std::string& key, const nlohmann::json& value, const std::string& reason);
// Throws like it unless the key is not there, has that value or is ignored.
void require_setting(const nlohmann::json& config, const std::string& key, const nlohmann::json& only,
                     const IgnoredKeys& ignored);

// A whole number, or the one that two equal ones are.
nlohmann::json one_of_two(const nlohmann::json& value);

}  // namespace tessera
