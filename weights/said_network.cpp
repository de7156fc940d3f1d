#include "weights/said_network.h"

#include "core/error.h"
#include "weights/config_files.h"
#include "weights/known_networks.h"

namespace tessera {

using Json = nlohmann::json;

void refuse_setting(const std::string& key, const Json& value, const std::string& reason) {
  throw ModelFileError("config.json's '" + key + "' is " + value.dump() + ": " + reason +
                       "; if it changes nothing in this network, --ignore-config " + key + " converts without it");
}

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
  const KnownNetwork& known = known_network(name);
  SaidNetwork network = said;
  network.architecture = known.name;
  network.family = known.family;
  network.trained_by = "--arch " + known.name;
  for (const auto& [parameter, value] : known.parameters.items()) {
    const auto found = network.parameters.find(parameter);
    // A name counts for more than transformers' default for a missing key.
    const bool by_default =
        parameter == "heads" && found != network.parameters.end() && found->second.by == "model_type";
    if (found == network.parameters.end() || by_default) {
      network.parameters[parameter] = {value, "--arch " + known.name};
    } else if (parameter == "heads" && found->second.value != value) {
      throw ModelFileError("--arch " + known.name + " has " + value.dump() + " heads, config.json's " +
                           found->second.by + " says " + found->second.value.dump() +
                           "; name another architecture, or leave the key out by --ignore-config " + found->second.by);
    }
  }
  return network;
}

}  // namespace tessera
