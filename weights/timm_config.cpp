// timm's config.json: an architecture's name and the arguments it was made with.

#include <algorithm>

#include "core/error.h"
#include "core/nearest.h"
#include "weights/config_files.h"
#include "weights/known_networks.h"
#include "weights/said_network.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

// Arguments that change nothing in a network that is not being trained.
bool is_harmless(const std::string& key) {
  static const std::set<std::string> kHarmless{
      "num_classes",     "img_size",   "weight_init",     "fix_init",        "dynamic_img_size",
      "dynamic_img_pad", "drop_rate",  "drop_path_rate",  "strict_img_size", "device",
      "zero_init_last",  "pretrained", "scriptable",      "exportable",      "no_jit",
      "dtype",           "cache_dir",  "drop_block_rate", "checkpoint_path", "pretrained_strict"};
  return kHarmless.contains(key) || key.ends_with("_drop_rate");
}

// Arguments that may only have the value that tessera's network has.
const std::map<std::string, std::vector<Json>>& fixed_arguments(const std::string& family) {
  static const std::map<std::string, std::vector<Json>> kVit{
      {"in_chans", {3}},        {"act_layer", {"gelu"}},       {"class_token", {true}},
      {"pos_embed", {"learn"}}, {"pre_norm", {false}},         {"final_norm", {true}},
      {"qk_norm", {false}},     {"scale_attn_norm", {false}},  {"scale_mlp_norm", {false}},
      {"proj_bias", {true}},    {"norm_layer", {"layernorm"}}, {"pool_include_prefix", {false}},
      {"use_naflex", {false}},  {"features_only", {false}}};
  static const std::map<std::string, std::vector<Json>> kResNet{{"in_chans", {3}},
                                                                {"act_layer", {"relu"}},
                                                                {"aa_layer", {""}},
                                                                {"output_stride", {32}},
                                                                {"global_pool", {"avg"}},
                                                                {"norm_layer", {"batchnorm2d", "batchnorm"}},
                                                                {"cardinality", {1}},
                                                                {"base_width", {64}},
                                                                {"stem_width", {64}},
                                                                {"stem_type", {""}},
                                                                {"replace_stem_pool", {false}},
                                                                {"block_reduce_first", {1}},
                                                                {"down_kernel_size", {1}},
                                                                {"avg_down", {false}},
                                                                {"features_only", {false}},
                                                                {"block_args", {Json::object()}}};
  static const std::map<std::string, std::vector<Json>> kLite{
      {"in_chans", {3}}, {"global_pool", {"avg"}}, {"features_only", {false}}};
  return family == "vit" ? kVit : family == "resnet" ? kResNet : kLite;
}

// A whole number, or two equal ones.
Json square_of(const Json& value) {
  const bool pair = value.is_array() && value.size() == 2 && value[0] == value[1];
  return pair ? value[0] : value;
}

// Arguments that become parameters of ours.
bool take_argument(SaidNetwork& said, const std::string& key, const Json& value) {
  static const std::map<std::string, const char*> kVit{
      {"embed_dim", "dim"},    {"depth", "depth"},          {"num_heads", "heads"},   {"mlp_ratio", "mlp_ratio"},
      {"patch_size", "patch"}, {"reg_tokens", "registers"}, {"qkv_bias", "qkv_bias"}, {"global_pool", "pool"}};
  static const std::map<std::string, const char*> kResNet{{"layers", "depths"}};
  const std::map<std::string, const char*> none;
  const auto& arguments = said.family == "vit" ? kVit : said.family == "resnet" ? kResNet : none;
  if (const auto found = arguments.find(key); found != arguments.end()) {
    said.parameters[found->second] = {key == "patch_size" ? square_of(value) : value, key};
    return true;
  }
  if (said.family == "vit" && key == "no_embed_class") {
    said.parameters["embed_class"] = {value != true, key};
    return true;
  }
  if (said.family == "vit" && key == "init_values") {  // of the layer scale
    said.parameters["layer_scale"] = {value != 0, key};
    return true;
  }
  if (said.family == "resnet" && key == "channels" && value.is_array() && value.size() == 4) {
    for (std::size_t i = 1; i < 4; ++i) {
      if (!value[0].is_number() || value[i] != value[0].get<std::int64_t>() << i) return false;
    }
    said.parameters["width"] = {value[0], key};
    return true;
  }
  return false;
}

void take_arguments(SaidNetwork& said, const Json& arguments, const IgnoredKeys& ignored) {
  const auto& fixed = fixed_arguments(said.family);
  for (const auto& [key, value] : arguments.items()) {
    if (ignored.contains(key) || is_harmless(key) || take_argument(said, key, value)) continue;
    if (said.family == "vit" && key == "fc_norm") continue;  // read together with the pooling
    const auto allowed = fixed.find(key);
    if (allowed == fixed.end()) refuse_setting(key, value, "tessera does not know what this argument of timm changes");
    if (std::ranges::find(allowed->second, value) == allowed->second.end()) {
      refuse_setting(key, value, "tessera has only " + allowed->second.front().dump());
    }
  }
}

// timm normalises the pooled features (fc_norm) where it pools the mean of the patches, unless the configuration says
// otherwise.
void check_pooling(const SaidNetwork& said, const Json& arguments, const IgnoredKeys& ignored) {
  if (said.family != "vit") return;
  const Said& pool = said.parameters.at("pool");
  if (pool.value != "token" && pool.value != "avg") {
    refuse_setting(pool.by, pool.value, "tessera pools the class token (\"token\") or the patches' mean (\"avg\")");
  }
  const auto norm = arguments.find("fc_norm");
  if (norm == arguments.end() || ignored.contains("fc_norm") || *norm == (pool.value == "avg")) return;
  refuse_setting("fc_norm", *norm,
                 "with global_pool " + pool.value.dump() + " tessera has the norm " +
                     (pool.value == "avg" ? "after" : "before") + " the pooling only");
}

}  // namespace

SaidNetwork timm_network(const Json& config, const IgnoredKeys& ignored) {
  std::string name = config_value<std::string>(config, "architecture", "");
  name = name.substr(0, name.find('.'));  // without its tag
  const std::string by = "config.json's architecture '" + name + "'";
  const KnownNetwork* known = find_known_network(name);
  if (known == nullptr) {
    const std::string kind = unsupported_kind(name);
    std::vector<std::string> names;
    for (const KnownNetwork& network : known_networks()) names.push_back(network.name);
    throw ModelFileError(by + " is not one that tessera has" +
                         (kind.empty() ? did_you_mean(name, names) : " (a network with " + kind + ")") +
                         "; --arch NAME converts the weights as those of another, where they fit it");
  }
  SaidNetwork said{.architecture = known->name,
                   .family = known->family,
                   .parameters = {},
                   .follows = kTimmVersion,
                   .trained_by = by};
  for (const auto& [parameter, value] : known->parameters.items()) said.parameters[parameter] = {value, by};
  if (const std::string pool = config_value<std::string>(config, "global_pool", "");
      !pool.empty() && said.family == "vit" && !ignored.contains("global_pool")) {
    said.parameters["pool"] = {pool, "global_pool"};
  }
  const Json arguments = config.value("model_args", Json::object());
  if (!arguments.is_object()) refuse_setting("model_args", arguments, "expected an object");
  take_arguments(said, arguments, ignored);
  check_pooling(said, arguments, ignored);
  for (const auto& [parameter, value] : unnamed_network(config, ignored).parameters) said.parameters[parameter] = value;
  return said;
}

}  // namespace tessera
