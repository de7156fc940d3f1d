#include "models/said.h"

#include "core/error.h"

namespace tessera {

using Json = nlohmann::json;

void refuse_setting(const std::string& key, const Json& value, const std::string& reason) {
  throw ModelFileError("config.json's '" + key + "' is " + value.dump() + ": " + reason +
                       "; if it changes nothing in this network, --ignore-config " + key + " converts without it");
}

void require_setting(const Json& config, const std::string& key, const Json& only, const IgnoredKeys& ignored) {
  const auto found = config.find(key);
  if (found == config.end() || *found == only || ignored.contains(key)) return;
  refuse_setting(key, *found, "tessera has only " + only.dump());
}

Json one_of_two(const Json& value) {
  const bool pair = value.is_array() && value.size() == 2 && value[0] == value[1];
  return pair ? value[0] : value;
}

}  // namespace tessera
