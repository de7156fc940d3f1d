// timm's config.json: an architecture's name and the arguments it was made with.

#include "core/error.h"
#include "core/nearest.h"
#include "models/timm_arguments.h"
#include "weights/config_files.h"
#include "weights/said_network.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

const Architecture& architecture_of(const std::string& name, const std::string& by) {
  if (const Architecture* known = find_row(name); known != nullptr) return *known;
  const std::string kind = unsupported_kind(name);
  std::vector<std::string> names;
  for (const Architecture& row : architectures()) names.push_back(row.name);
  throw ModelFileError(by + " is not one that tessera has" +
                       (kind.empty() ? did_you_mean(name, names) : " (a network with " + kind + ")") +
                       "; --arch NAME converts the weights as those of another, where they fit it");
}

// Height and width of the pictures, where they are said.
Json picture_of(const Json& config, const Json& arguments) {
  if (const auto size = arguments.find("img_size"); size != arguments.end()) return *size;
  const Json cfg = config_value(config, "pretrained_cfg", Json::object());
  const Json size = config_value(cfg.is_object() ? cfg : Json::object(), "input_size", Json());
  return size.is_array() && size.size() == 3 ? Json{size[1], size[2]} : Json();
}

}  // namespace

SaidNetwork timm_network(const Json& config, const IgnoredKeys& ignored) {
  std::string name = config_value<std::string>(config, "architecture", "");
  name = name.substr(0, name.find('.'));  // without its tag
  const std::string by = "config.json's architecture '" + name + "'";
  const Architecture& known = architecture_of(name, by);
  const Family& family = *find_family(known.family);
  SaidNetwork said{.architecture = known.name,
                   .family = known.family,
                   .parameters = {},
                   .picture = {},
                   .follows = kTimmVersion,
                   .trained_by = by};
  for (const std::string& parameter : known.decided) said.parameters[parameter] = {known.parameters.at(parameter), by};
  const auto pooling = family.timm.parameters.find("global_pool");
  if (const std::string pool = config_value<std::string>(config, "global_pool", "");
      !pool.empty() && pooling != family.timm.parameters.end() && !ignored.contains("global_pool")) {
    said.parameters[pooling->second] = {pool, "global_pool"};
  }
  const Json arguments = config.value("model_args", Json::object());
  if (!arguments.is_object()) refuse_setting("model_args", arguments, "expected an object");
  said.picture = picture_of(config, arguments);
  take_timm_arguments(said, family, arguments, ignored);
  for (const auto& [parameter, value] : unnamed_network(config, ignored).parameters) said.parameters[parameter] = value;
  return said;
}

}  // namespace tessera
