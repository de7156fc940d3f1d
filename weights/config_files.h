#pragma once
// The JSON files that lie beside weights. Private to weights/.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace tessera {

// An empty object when `path` does not exist. Nulls are left out: in these files they mean "not said". Throws
// ModelFileError for anything but a JSON object, what is there and cannot be read included, and above 8 MB.
nlohmann::json read_config(const std::filesystem::path& path);

// The value of a key, or `fallback`. Throws ModelFileError naming the key when its value is of another type.
template <class T>
T config_value(const nlohmann::json& json, const std::string& key, T fallback) {
  const auto found = json.find(key);
  if (found == json.end()) return fallback;
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw ModelFileError("its configuration cannot be used: '" + key + "' is " + found->dump());
  }
}

}  // namespace tessera
