#include "weights/config_files.h"

#include "core/file.h"
#include "core/json.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kMostConfigBytes = 8 << 20;

void drop_nulls(nlohmann::json& json) {
  if (json.is_object()) {
    for (auto it = json.begin(); it != json.end();) it = it->is_null() ? json.erase(it) : std::next(it);
  }
  if (json.is_structured()) {
    for (nlohmann::json& value : json) drop_nulls(value);
  }
}

}  // namespace

nlohmann::json read_config(const fs::path& path) {
  // A link to nowhere, a folder or a file that cannot be looked at is there: what it says must not be passed over.
  std::error_code error;
  if (fs::symlink_status(path, error).type() == fs::file_type::not_found) return nlohmann::json::object();
  nlohmann::json json;
  try {
    json = parse_json(read_file(path, kMostConfigBytes));
  } catch (const InputError& unreadable) {
    throw ModelFileError(unreadable.what());
  }
  if (!json.is_object()) throw ModelFileError(path.string() + ": is not a JSON object");
  drop_nulls(json);
  return json;
}

}  // namespace tessera
