#include "weights/detect.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

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

// What config.json says of a network that weights do not show, and tessera does not have.
void refuse_unknown(const Json& hints, const std::string& activation) {
  const std::string found = hints.value("hidden_act", activation);
  if (found != activation) {
    throw ModelFileError("hidden_act '" + found + "' is not supported, only '" + activation + "'");
  }
  if (hints.value("downsample_in_bottleneck", false)) {
    throw ModelFileError("downsample_in_bottleneck (strides on 1x1 convolutions) is not supported");
  }
}

Json vit_parameters(const RenamedWeights& renamed, const Json& hints) {
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
  const bool wide_head = has_head && dimension(weights, "head.weight", 1) == 2 * dim;
  // 64 a head unless transformers' or timm's config says otherwise.
  const std::int64_t usual =
      hints.value("model_args", Json::object()).value("num_heads", std::max<std::int64_t>(1, dim / 64));
  const std::int64_t heads = hints.value("num_attention_heads", usual);
  Json p{
      {"dim", dim},
      {"patch", patch},
      {"depth", blocks_under(weights, "blocks.", ".norm1.weight")},
      {"heads", heads},
      {"mlp_ratio", static_cast<double>(dimension(weights, "blocks.0.mlp.fc1.weight", 0)) / static_cast<double>(dim)},
      {"classes", has_head ? dimension(weights, "head.weight", 0) : 0},
      {"norm_eps", hints.value("layer_norm_eps", renamed.scheme == NamingScheme::kHfVit ? 1e-12 : 1e-6)},
      {"pool", weights.contains("fc_norm.weight") ? "avg" : "token"},
      {"layer_scale", weights.contains("blocks.0.ls1.gamma")},
      {"registers", weights.contains("reg_token") ? dimension(weights, "reg_token", 1) : 0},
      {"embed_class", embed_class},
      {"pos_grid", grid},
      {"interpolate_antialias", renamed.scheme == NamingScheme::kTimm},
      {"head", !has_head   ? "none"
               : wide_head ? "linear_cls_mean"
                           : "linear"},
      {"qkv_bias", weights.contains("blocks.0.attn.qkv.bias")},
      {"image_size", grid * patch}};
  return p;
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

Json parameters_of(const RenamedWeights& renamed, const Json& hints, const std::string& family) {
  if (family == "vit") {
    refuse_unknown(hints, "gelu");
    return vit_parameters(renamed, hints);
  }
  if (family == "resnet") {
    refuse_unknown(hints, "relu");
    return resnet_parameters(renamed.weights);
  }
  const WeightStore& weights = renamed.weights;
  return {{"classes", weights.contains("classifier.weight") ? dimension(weights, "classifier.weight", 0) : 0}};
}

std::string family_of(const WeightStore& weights) {
  if (weights.contains("patch_embed.proj.weight")) return "vit";
  if (weights.contains("layer1.0.conv1.weight")) return "resnet";
  if (weights.contains("blocks.0.0.conv_dw.weight")) return "efficientnet_lite";
  throw ModelFileError("the tensors' names are of no architecture that tessera knows; `tessera models` lists them");
}

}  // namespace

ModelConfig detect_parameters(const RenamedWeights& renamed, const Json& hints, const std::string& name) {
  const Architecture& row = find_architecture(name);
  if (family_of(renamed.weights) != row.family) {
    throw ModelFileError("the tensors are those of a " + family_of(renamed.weights) + ", not of " + row.name);
  }
  return make_config(name, parameters_of(renamed, hints, row.family));
}

ModelConfig detect_architecture(const RenamedWeights& renamed, const Json& hints) {
  const std::string named = hints.value("architecture", "");
  for (const Architecture& row : architectures()) {
    if (row.name == named) return detect_parameters(renamed, hints, named);
  }
  const std::string family = family_of(renamed.weights);
  const Json found = parameters_of(renamed, hints, family);
  // The row of the family that needs the fewest parameters changed; the first on a tie.
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
  return make_config(best->name, found);
}

}  // namespace tessera
