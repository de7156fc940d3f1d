#include "models/registry.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "models/efficientnet_lite.h"
#include "models/resnet.h"
#include "models/vit.h"

namespace tessera {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ResNetParameters, image_size, bottleneck, depths, width, classes, norm_eps)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(VitParameters, image_size, patch, dim, depth, heads, mlp_ratio, classes, norm_eps,
                                   pool, layer_scale, registers, embed_class, pos_grid, interpolate_antialias, head,
                                   qkv_bias)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EfficientNetLiteParameters, image_size, classes, norm_eps, same_padding)

namespace {

constexpr std::string_view kResNet = "resnet";
constexpr std::string_view kVit = "vit";
constexpr std::string_view kEfficientNetLite = "efficientnet_lite";

struct Family {
  std::string_view name;
  Graph (*build)(const nlohmann::json& parameters, std::int64_t max_batch);
};
constexpr std::array<Family, 3> kFamilies{{
    {kResNet, [](const nlohmann::json& p, std::int64_t n) { return build_resnet(p.get<ResNetParameters>(), n); }},
    {kVit, [](const nlohmann::json& p, std::int64_t n) { return build_vit(p.get<VitParameters>(), n); }},
    {kEfficientNetLite, [](const nlohmann::json& p,
                           std::int64_t n) { return build_efficientnet_lite(p.get<EfficientNetLiteParameters>(), n); }},
}};

constexpr std::array<float, 3> kImageNetMean{0.485F, 0.456F, 0.406F};
constexpr std::array<float, 3> kImageNetStd{0.229F, 0.224F, 0.225F};
constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};

struct Published {
  std::int64_t parameters, macs;
};

Architecture resnet(std::string name, bool bottleneck, std::array<std::int64_t, 4> depths, Published published) {
  return {.name = std::move(name),
          .family = std::string(kResNet),
          .paper = "He et al. 2015, arXiv:1512.03385",
          .parameters = ResNetParameters{.bottleneck = bottleneck, .depths = depths},
          .preprocess = Preprocess::timm(224, 0.95, Filter::kBicubic, kImageNetMean, kImageNetStd),
          .parameter_count = published.parameters,
          .macs = published.macs};
}

struct VitSize {
  std::int64_t dim, depth, heads;
};
constexpr VitSize kTiny{192, 12, 3}, kSmall{384, 12, 6}, kBase{768, 12, 12}, kLarge{1024, 24, 16};

Architecture vit(std::string name, VitSize size, std::int64_t patch, Published published) {
  return {.name = std::move(name),
          .family = std::string(kVit),
          .paper = "Dosovitskiy et al. 2020, arXiv:2010.11929",
          .parameters =
              VitParameters{
                  .patch = patch, .dim = size.dim, .depth = size.depth, .heads = size.heads, .pos_grid = 224 / patch},
          .preprocess = Preprocess::timm(224, 0.9, Filter::kBicubic, kHalf, kHalf),
          .parameter_count = published.parameters,
          .macs = published.macs};
}

Architecture dinov2(std::string name, VitSize size, std::int64_t registers, Published published) {
  return {.name = std::move(name),
          .family = std::string(kVit),
          .paper = "Oquab et al. 2023, arXiv:2304.07193",
          .parameters = VitParameters{.image_size = 518,
                                      .patch = 14,
                                      .dim = size.dim,
                                      .depth = size.depth,
                                      .heads = size.heads,
                                      .classes = 0,
                                      .layer_scale = true,
                                      .registers = registers,
                                      .embed_class = registers == 0,
                                      .pos_grid = 37,
                                      .head = "none"},
          .preprocess = Preprocess::timm(518, 1.0, Filter::kBicubic, kImageNetMean, kImageNetStd),
          .parameter_count = published.parameters,
          .macs = published.macs};
}

Architecture efficientnet_lite0(std::string name, bool tensorflow) {
  return {.name = std::move(name),
          .family = std::string(kEfficientNetLite),
          .paper = "Tan and Le 2019, arXiv:1905.11946",
          .parameters = EfficientNetLiteParameters{.norm_eps = tensorflow ? 1e-3 : 1e-5, .same_padding = tensorflow},
          .preprocess = Preprocess::timm(224, 0.875, Filter::kBicubic, tensorflow ? kHalf : kImageNetMean,
                                         tensorflow ? kHalf : kImageNetStd),
          .parameter_count = 4'652'008,
          .macs = 385'187'552};
}

// Parameters and multiply-adds as counted on timm's modules by tests/reference/architectures.py; a test compares.
std::vector<Architecture> make_rows() {
  return {
      resnet("resnet18", false, {2, 2, 2, 2}, {11'689'512, 1'814'073'344}),
      resnet("resnet34", false, {3, 4, 6, 3}, {21'797'672, 3'663'761'408}),
      resnet("resnet50", true, {3, 4, 6, 3}, {25'557'032, 4'089'184'256}),
      resnet("resnet101", true, {3, 4, 23, 3}, {44'549'160, 7'801'405'440}),
      resnet("resnet152", true, {3, 8, 36, 3}, {60'192'808, 11'513'626'624}),
      vit("vit_tiny_patch16_224", kTiny, 16, {5'717'416, 1'253'683'200}),
      vit("vit_tiny_patch32_224", kTiny, 32, {6'131'560, 306'034'176}),
      vit("vit_small_patch16_224", kSmall, 16, {22'050'664, 4'598'882'304}),
      vit("vit_small_patch32_224", kSmall, 32, {22'878'952, 1'142'909'952}),
      vit("vit_base_patch16_224", kBase, 16, {86'567'656, 17'563'828'224}),
      vit("vit_base_patch32_224", kBase, 32, {88'224'232, 4'409'186'304}),
      vit("vit_large_patch16_224", kLarge, 16, {304'326'632, 61'554'712'576}),
      vit("vit_large_patch32_224", kLarge, 32, {306'535'400, 15'377'539'072}),
      dinov2("vit_small_patch14_dinov2", kSmall, 0, {22'056'192, 46'696'739'328}),
      dinov2("vit_base_patch14_dinov2", kBase, 0, {86'579'712, 151'573'718'016}),
      dinov2("vit_large_patch14_dinov2", kLarge, 0, {304'367'616, 506'803'826'688}),
      dinov2("vit_small_patch14_reg4_dinov2", kSmall, 4, {22'057'344, 46'882'828'800}),
      dinov2("vit_base_patch14_reg4_dinov2", kBase, 4, {86'582'016, 152'115'766'272}),
      dinov2("vit_large_patch14_reg4_dinov2", kLarge, 4, {304'370'688, 508'551'278'592}),
      efficientnet_lite0("efficientnet_lite0", false),
      efficientnet_lite0("tf_efficientnet_lite0", true),
  };
}

const Family& family_of(const ModelConfig& config) {
  const std::string& name = find_architecture(config.architecture).family;
  return *std::ranges::find(kFamilies, name, &Family::name);
}

}  // namespace

std::span<const Architecture> architectures() {
  static const std::vector<Architecture> rows = make_rows();
  return rows;
}

const Architecture& find_architecture(std::string_view name) {
  const auto rows = architectures();
  const auto found = std::ranges::find(rows, name, &Architecture::name);
  if (found != rows.end()) return *found;
  std::vector<std::string> names;
  for (const Architecture& row : rows) names.push_back(row.name);
  throw UsageError("unknown architecture '" + std::string(name) + "'" + did_you_mean(name, names) +
                   "; `tessera models` lists them");
}

ModelConfig make_config(std::string_view architecture, const nlohmann::json& overrides) {
  const Architecture& row = find_architecture(architecture);
  ModelConfig config{row.name, row.parameters};
  if (!overrides.is_object()) throw UsageError("the parameters of " + row.name + " must be a JSON object");
  for (const auto& [key, value] : overrides.items()) {
    if (!config.parameters.contains(key)) {
      throw UsageError(row.name + " has no parameter '" + key + "'; it has: " + config.parameters.dump());
    }
    config.parameters[key] = value;
  }
  const double epsilon = config.parameters.value("norm_eps", 1e-5);
  if (!(epsilon > 0 && epsilon < 1)) {  // beneath a root, beside a variance
    throw UsageError(row.name + ": norm_eps must lie between 0 and 1, not " + config.parameters["norm_eps"].dump());
  }
  return config;
}

Graph build_graph(const ModelConfig& config, std::int64_t max_batch) {
  if (max_batch < 1) throw UsageError("the batch must be at least 1, not " + std::to_string(max_batch));
  try {
    return family_of(config).build(config.parameters, max_batch);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError("the parameters of " + config.architecture + " cannot be used: " + error.what());
  }
}

std::int64_t class_count(const ModelConfig& config) {
  if (config.parameters.value("head", "linear") == "none") return 0;
  return config.parameters.value("classes", std::int64_t{0});
}

ModelConfig with_classes(ModelConfig config, std::int64_t classes) {
  if (classes < 0) throw UsageError("a head has at least 0 classes, not " + std::to_string(classes));
  config.parameters["classes"] = classes;
  // What the head reads stays as it was (the class token, or the patches' mean beside it); no head becomes a plain one.
  if (classes > 0 && config.parameters.value("head", "linear") == "none") config.parameters["head"] = "linear";
  return config;
}

}  // namespace tessera
