#include "models/timm_arguments.h"

#include <algorithm>

namespace tessera {

namespace {

using Json = nlohmann::json;

// Arguments that change nothing in a network that is not being trained, or that are a picture's size or the classes.
bool is_harmless(const std::string& key) {
  static const std::set<std::string> kHarmless{
      "num_classes",     "img_size",   "weight_init",     "fix_init",        "dynamic_img_size",
      "dynamic_img_pad", "drop_rate",  "drop_path_rate",  "strict_img_size", "device",
      "zero_init_last",  "pretrained", "scriptable",      "exportable",      "no_jit",
      "dtype",           "cache_dir",  "drop_block_rate", "checkpoint_path", "pretrained_strict"};
  return kHarmless.contains(key) || key.ends_with("_drop_rate");
}

bool take(SaidNetwork& said, const TimmArguments& timm, const std::string& key, const Json& value) {
  const auto parameter = timm.parameters.find(key);
  if (parameter == timm.parameters.end()) return timm.take != nullptr && timm.take(said, key, value);
  said.parameters[parameter->second] = {one_of_two(value), key};
  return true;
}

}  // namespace

void take_timm_arguments(SaidNetwork& said, const Family& family, const Json& arguments, const IgnoredKeys& ignored) {
  for (const auto& [key, value] : arguments.items()) {
    if (ignored.contains(key) || is_harmless(key) || take(said, family.timm, key, value)) continue;
    const auto allowed = family.timm.only.find(key);
    if (allowed == family.timm.only.end()) {
      refuse_setting(key, value, "tessera does not know what this argument of timm changes");
    }
    if (std::ranges::find(allowed->second, value) == allowed->second.end()) {
      refuse_setting(key, value, "tessera has only " + allowed->second.front().dump());
    }
  }
  if (family.timm.check != nullptr) family.timm.check(said, arguments, ignored);
}

}  // namespace tessera
