#include "weights/detect.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.h"
#include "weights/known_networks.h"
#include "weights/tensor_kinds.h"

namespace tessera {

namespace {

using Json = nlohmann::json;
using Note = std::function<void(const std::string&)>;

std::int64_t blocks_under(const WeightStore& weights, const std::string& prefix, const std::string& leaf) {
  std::int64_t count = 0;
  while (weights.contains(prefix + std::to_string(count) + leaf)) ++count;
  return count;
}

std::int64_t dimension(const WeightStore& weights, const std::string& name, int index) {
  const Shape& shape = weights.at(name).shape();
  if (index >= shape.rank()) throw ModelFileError(name + ": has only the shape " + to_string(shape));
  return shape[index];
}

std::int64_t square_root(std::int64_t value) {
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(value))));
  return root * root == value ? root : 0;
}

// All parameters but heads and norm_eps, which no tensor shows.
Json vit_parameters(const RenamedWeights& renamed) {
  const WeightStore& weights = renamed.weights;
  const std::int64_t dim = dimension(weights, "patch_embed.proj.weight", 0);
  const std::int64_t patch = dimension(weights, "patch_embed.proj.weight", 2);
  const std::int64_t positions = dimension(weights, "pos_embed", 1);
  const bool embed_class = square_root(positions) == 0;
  const std::int64_t grid = square_root(positions - (embed_class ? 1 : 0));
  if (grid == 0) {
    throw ModelFileError("pos_embed: " + std::to_string(positions) + " positions are not a square of patches");
  }
  const bool has_head = weights.contains("head.weight");
  const bool wide_head = has_head && renamed.scheme == NamingScheme::kHfDinov2;
  return {
      {"dim", dim},
      {"patch", patch},
      {"depth", blocks_under(weights, "blocks.", ".norm1.weight")},
      {"mlp_ratio", static_cast<double>(dimension(weights, "blocks.0.mlp.fc1.weight", 0)) / static_cast<double>(dim)},
      {"classes", has_head ? dimension(weights, "head.weight", 0) : 0},
      {"pool", weights.contains("fc_norm.weight") ? "avg" : "token"},
      {"layer_scale", weights.contains("blocks.0.ls1.gamma")},
      {"registers", weights.contains("reg_token") ? dimension(weights, "reg_token", 1) : 0},
      {"embed_class", embed_class},
      {"pos_grid", grid},
      {"interpolate_antialias", renamed.scheme == NamingScheme::kTimm ||
                                    renamed.scheme == NamingScheme::kDinov2Registers ||
                                    (renamed.scheme == NamingScheme::kHfDinov2 && weights.contains("reg_token"))},
      {"head", !has_head   ? "none"
               : wide_head ? "linear_cls_mean"
                           : "linear"},
      {"qkv_bias", weights.contains("blocks.0.attn.qkv.bias")},
      {"image_size", grid * patch}};
}

Json resnet_parameters(const WeightStore& weights) {
  Json depths = Json::array();
  for (int stage = 1; stage <= 4; ++stage) {
    depths.push_back(blocks_under(weights, "layer" + std::to_string(stage) + ".", ".conv1.weight"));
  }
  return {{"bottleneck", weights.contains("layer1.0.conv3.weight")},
          {"depths", depths},
          {"width", dimension(weights, "conv1.weight", 0)},
          {"classes", weights.contains("fc.weight") ? dimension(weights, "fc.weight", 0) : 0}};
}

std::string family_of(const WeightStore& weights, const SaidNetwork& said) {
  if (weights.contains("patch_embed.proj.weight")) return "vit";
  if (weights.contains("layer1.0.conv1.weight")) return "resnet";
  if (weights.contains("blocks.0.0.conv_dw.weight")) return "efficientnet_lite";
  const std::string example = weights.tensors().empty() ? "" : weights.tensors().begin()->first;
  throw ModelFileError("the tensors' names are of no architecture that tessera knows (" +
                       (example.empty() ? "there is none" : "one is '" + example + "'") +
                       (said.trained_by.empty() ? "" : "; " + said.trained_by) +
                       "); `tessera models` lists them, and --prefix takes a part of what wraps a network off");
}

Json parameters_of(const RenamedWeights& renamed, const std::string& family) {
  if (family == "vit") return vit_parameters(renamed);
  if (family == "resnet") return resnet_parameters(renamed.weights);
  const WeightStore& weights = renamed.weights;
  return {{"classes", weights.contains("classifier.weight") ? dimension(weights, "classifier.weight", 0) : 0}};
}

bool equal(const Json& found, const Json& said) {
  if (found.is_number_float() && said.is_number()) return std::abs(found.get<double>() - said.get<double>()) < 1e-4;
  return found == said;
}

// Parameters for which the configuration and the tensors disagree.
void refuse_contradictions(const Json& found, const SaidNetwork& said) {
  std::string faults;
  for (const auto& [parameter, value] : said.parameters) {
    const auto shown = found.find(parameter);
    if (shown == found.end() || equal(*shown, value.value)) continue;
    if (parameter == "pool" && value.value == "avg") {
      throw ModelFileError(
          value.by + " \"avg\" without an fc_norm: the norm stands before the pooling, which tessera does not have");
    }
    faults += (faults.empty() ? "" : "; ") + parameter + " " + value.value.dump() + " by " + value.by +
              ", but the tensors have " + shown->dump();
  }
  if (!faults.empty()) throw ModelFileError("the weights are not what the configuration says: " + faults);
}

// The heads of timm's networks with these sizes; empty where there is no such network.
std::set<std::int64_t> heads_of_size(const Json& found, std::string& example) {
  std::set<std::int64_t> heads;
  for (const KnownNetwork& network : known_networks()) {
    if (network.family != "vit" || network.parameters.at("dim") != found.at("dim") ||
        network.parameters.at("depth") != found.at("depth") ||
        !equal(network.parameters.at("mlp_ratio"), found.at("mlp_ratio"))) {
      continue;
    }
    heads.insert(network.parameters.at("heads").get<std::int64_t>());
    example = network.name;
  }
  return heads;
}

std::int64_t heads_of(const Json& found, const SaidNetwork& said, const Note& note) {
  if (const auto heads = said.parameters.find("heads"); heads != said.parameters.end()) {
    if (!heads->second.value.is_number_integer()) {
      throw ModelFileError("config.json's " + heads->second.by + " is " + heads->second.value.dump());
    }
    return heads->second.value.get<std::int64_t>();
  }
  std::string example;
  const std::set<std::int64_t> heads = heads_of_size(found, example);
  if (heads.size() != 1) {
    throw ModelFileError("nothing says how many attention heads it has, and no tensor shows it (width " +
                         found.at("dim").dump() + ", depth " + found.at("depth").dump() +
                         "): put its config.json beside the weights, or name its architecture by --arch");
  }
  note(std::to_string(*heads.begin()) + " heads, as every network of these sizes has (" + example + ")");
  return *heads.begin();
}

double epsilon_of(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note) {
  const auto found = said.parameters.find("norm_eps");
  const bool hugging_face = renamed.scheme == NamingScheme::kHfVit;
  if (found != said.parameters.end() && !(hugging_face && found->second.by.starts_with("--arch"))) {
    if (!found->second.value.is_number()) {
      throw ModelFileError("its configuration cannot be used: '" + found->second.by + "' is " +
                           found->second.value.dump());
    }
    return found->second.value.get<double>();
  }
  if (!hugging_face) return 1e-6;
  note("epsilon 1e-12, the default of transformers' ViT: no config.json says another");
  return 1e-12;
}

// The row of the registry with the fewest parameters to change.
const Architecture& nearest_row(const std::string& family, const Json& found) {
  const Architecture* best = nullptr;
  std::ptrdiff_t fewest = 0;
  for (const Architecture& row : architectures()) {
    if (row.family != family) continue;
    const auto differing = std::ranges::count_if(
        found.items(), [&](const auto& item) { return row.parameters.at(item.key()) != item.value(); });
    if (best == nullptr || differing < fewest) {
      best = &row;
      fewest = differing;
    }
  }
  if (best == nullptr) throw InternalError("no architecture of the family " + family);
  return *best;
}

}  // namespace

ModelConfig detect_architecture(const RenamedWeights& renamed, const SaidNetwork& said, const Note& note) {
  refuse_unsupported_tensors(renamed.weights);
  const std::string family = family_of(renamed.weights, said);
  if (!said.family.empty() && said.family != family) {
    throw ModelFileError("the tensors are those of a " + family + ", not of a " + said.family + " (" + said.trained_by +
                         ")");
  }
  Json found = parameters_of(renamed, family);
  refuse_contradictions(found, said);
  if (family == "efficientnet_lite" && said.architecture.empty()) {
    throw ModelFileError(
        "efficientnet_lite0 and tf_efficientnet_lite0 have the same tensors, but other padding and another "
        "epsilon, and nothing says which it is: name it by --arch, or put its config.json beside it");
  }
  if (family == "vit") {
    found["heads"] = heads_of(found, said, note);
    found["norm_eps"] = epsilon_of(renamed, said, note);
  }
  const bool has_row =
      std::ranges::find(architectures(), said.architecture, &Architecture::name) != architectures().end();
  const std::string row = has_row ? said.architecture : nearest_row(family, found).name;
  if (said.trained_by.empty() && family != "vit")
    note("nothing names its architecture: " + row + " by names and shapes");
  return make_config(row, found);
}

}  // namespace tessera
