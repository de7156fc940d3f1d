#include "weights/said_network.h"

#include <algorithm>

#include "core/error.h"
#include "models/family.h"
#include "weights/config_files.h"

namespace tessera {

using Json = nlohmann::json;

bool is_timm_config(const Json& config) {
  const std::string type = config_value<std::string>(config, "model_type", "");
  return config.contains("architecture") && (type.empty() || type == "timm_wrapper");
}

SaidNetwork unnamed_network(const Json& config, const IgnoredKeys& ignored) {
  SaidNetwork said;
  for (const auto& [key, parameter] : {std::pair{"num_attention_heads", "heads"}, {"layer_norm_eps", "norm_eps"}}) {
    if (config.contains(key) && !ignored.contains(key)) said.parameters[parameter] = {config.at(key), key};
  }
  return said;
}

SaidNetwork network_of_config(const Json& config, const IgnoredKeys& ignored) {
  if (is_timm_config(config)) return timm_network(config, ignored);
  if (config.contains("model_type") || config.contains("architectures")) return hugging_face_network(config, ignored);
  return unnamed_network(config, ignored);
}

SaidNetwork named_network(const SaidNetwork& said, const std::string& name) {
  const Architecture& known = find_architecture(name);
  const std::vector<std::string_view>& unseen = find_family(known.family)->unseen;
  const std::string by = "--arch " + known.name;
  SaidNetwork network = said;
  network.architecture = known.name;
  network.family = known.family;
  network.trained_by = by;
  for (const std::string& parameter : known.decided) {
    const Json& value = known.parameters.at(parameter);
    const bool only_said = std::ranges::find(unseen, parameter) != unseen.end();
    const auto found = network.parameters.find(parameter);
    // A name counts for more than transformers' default for a missing key.
    const bool by_default = only_said && found != network.parameters.end() && found->second.by == "model_type";
    if (found == network.parameters.end() || by_default) {
      network.parameters[parameter] = {value, by};
    } else if (only_said && found->second.value != value) {
      throw ModelFileError(by + " has " + value.dump() + " " + parameter + ", config.json's " + found->second.by +
                           " says " + found->second.value.dump() +
                           "; name another architecture, or leave the key out by --ignore-config " + found->second.by);
    }
  }
  return network;
}

}  // namespace tessera
