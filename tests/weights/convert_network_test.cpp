// Which network weights are: what configurations say, what tensors show, and what neither does.

#include "tests/weights/weight_folder.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

class ConvertNetwork : public WeightFolder {};

TEST_F(ConvertNetwork, TakesHeadsFromTheArchitecturesName) {
  // timm's vit_huge_patch14_224 has 16 heads of 80, its vit_giant_patch14_224 16 of 88: no tensor shows it.
  put(weights_of(tiny_vit({{"dim", 64}, {"patch", 14}, {"image_size", 28}})));
  for (const char* name : {"vit_huge_patch14_224", "vit_giant_patch14_224", "vit_gigantic_patch14_224"}) {
    put({{"architecture", name},
         {"model_args", {{"embed_dim", 64}, {"depth", 1}, {"mlp_ratio", 4}}},
         {"pretrained_cfg", with(pictures(), {{"input_size", {3, 28, 28}}})}});
    EXPECT_EQ(converted().card.config.parameters.at("heads"), 16) << name;
  }
}

TEST_F(ConvertNetwork, RefusesArchitecturesThatItDoesNotHave) {
  put(weights_of(tiny_resnet()));
  const std::pair<const char*, const char*> names[] = {
      {"resnetaa50", "'resnetaa50' is not one that tessera has (a network with anti-aliased strides)"},
      {"resnetblur18", "blurred strides"},
      {"resnet50d", "another stem or another shortcut"},
      {"resnext50_32x4d", "grouped convolutions"},
      {"wide_resnet50_2", "wide bottlenecks"},
      {"seresnet50", "squeeze-and-excitation"},
      {"vit_base_patch32_clip_224", "a norm before the blocks"},
      {"resnet19", "did you mean 'resnet18'"},
      {"resnetaa50.a1h_in1k", "'resnetaa50' is not one"},
  };
  for (const auto& [name, part] : names) {
    put(resnet_config(), Json{{"architecture", name}});
    expect_refused(part);
    expect_refused("--arch NAME");
    EXPECT_NO_THROW(converted({.architecture = "resnet18"})) << name;
  }
  put({{"architectures", {"ConvNextForImageClassification"}}, {"model_type", "convnext"}});
  expect_refused("model_type 'convnext' (ConvNextForImageClassification)");
}

TEST_F(ConvertNetwork, RefusesArgumentsThatItDoesNotHaveOrKnow) {
  put(weights_of(tiny_resnet()));
  const std::pair<Json, const char*> resnets[] = {
      {{{"act_layer", "silu"}}, "'act_layer' is \"silu\": tessera has only \"relu\""},
      {{{"aa_layer", "blurpc"}}, "'aa_layer' is \"blurpc\""},
      {{{"avg_down", true}}, "'avg_down' is true"},
      {{{"output_stride", 16}}, "'output_stride' is 16"},
      {{{"global_pool", "max"}}, "'global_pool' is \"max\""},
      {{{"cardinality", 32}}, "'cardinality' is 32"},
      {{{"layers", {2, 2, 2, 2}}}, "depths [2,2,2,2] by layers, but the tensors have [1,1,1,1]"},
      {{{"a_new_argument", 1}}, "'a_new_argument' is 1: tessera does not know what this argument of timm changes"},
  };
  for (const auto& [arguments, part] : resnets) {
    put(resnet_config(arguments));
    expect_refused(part);
  }
  put(resnet_config({{"drop_path_rate", 0.1}, {"act_layer", "relu"}, {"aa_layer", nullptr}, {"global_pool", "avg"}}));
  EXPECT_EQ(converted().card.config.architecture, "resnet18");
  put(resnet_config({{"a_new_argument", 1}}));
  EXPECT_NO_THROW(converted({.ignored_keys = {"a_new_argument"}}));

  put(weights_of(tiny_vit()));
  const std::pair<Json, const char*> vits[] = {
      {{{"act_layer", "quick_gelu"}}, "'act_layer' is \"quick_gelu\""},
      {{{"global_pool", "avg"}, {"fc_norm", false}}, "'fc_norm' is false"},
      {{{"global_pool", "avg"}}, "the norm stands before the pooling"},
      {{{"global_pool", "map"}}, "'global_pool' is \"map\""},
      {{{"class_token", false}}, "'class_token' is false"},
      {{{"norm_layer", "rmsnorm"}}, "'norm_layer' is \"rmsnorm\""},
      {{{"embed_dim", 32}}, "dim 32 by embed_dim, but the tensors have 16"},
      {{{"init_values", 1e-5}}, "layer_scale true by init_values"},
      {{{"reg_tokens", 4}}, "registers 4 by reg_tokens, but the tensors have 0"},
  };
  for (const auto& [arguments, part] : vits) {
    put(vit_config(arguments));
    expect_refused(part);
  }
  put(vit_config(), Json{{"pretrained_cfg", with(pictures(), {{"crop_pct", 0.0}})}});
  expect_refused("crop_pct 0 is not in 0.01 to 1");
  put(vit_config(), Json{{"global_pool", "avg"}});  // where timm notes it for information
  expect_refused("the norm stands before the pooling");
}

TEST_F(ConvertNetwork, RefusesHuggingFacesResNetsThatStrideElsewhere) {
  put(weights_of(tiny_resnet()));
  const Json config{{"model_type", "resnet"}, {"layer_type", "basic"}, {"depths", {1, 1, 1, 1}}, {"embedding_size", 4}};
  for (const char* key : {"downsample_in_first_stage", "downsample_in_bottleneck"}) {
    put(config, Json{{key, true}});
    expect_refused(std::string("'") + key + "' is true");
  }
}

TEST_F(ConvertNetwork, RefusesHeadsThatNobodySays) {
  put(weights_of(tiny_vit()));
  expect_refused("nothing says how many attention heads it has");
  put(Json{{"num_attention_heads", 2}, {"pretrained_cfg", pictures()}});
  EXPECT_EQ(converted().card.config.parameters.at("heads"), 2);
  // Sizes that only networks with three heads have.
  std::filesystem::remove(folder_ / "config.json");
  ModelConfig known =
      make_config("vit_tiny_patch16_224", {{"image_size", 32}, {"pos_grid", 2}, {"classes", 0}, {"head", "none"}});
  put(weights_of(known));
  EXPECT_EQ(converted({.preprocess = {.choice = "torchvision", .size = 32}}).card.config.parameters.at("heads"), 3);
  EXPECT_NE(notes_.find("3 heads, as every network of these sizes has"), std::string::npos) << notes_;
}

TEST_F(ConvertNetwork, RefusesATie) {
  put(weights_of(make_config("tf_efficientnet_lite0", {{"classes", 3}})));
  expect_refused("efficientnet_lite0 and tf_efficientnet_lite0 have the same tensors");
  const ModelConfig named =
      converted({.architecture = "tf_efficientnet_lite0", .preprocess = {.choice = "timm"}}).card.config;
  EXPECT_EQ(named.parameters.at("same_padding"), true);
  EXPECT_NE(notes_.find("timm's default configuration for tf_efficientnet_lite0"), std::string::npos) << notes_;
}

TEST_F(ConvertNetwork, BelievesTheNameOfALoneFile) {
  put(weights_of(tiny_resnet()), "resnetaa50_a1h-4cf422b3.safetensors");
  expect_refused("by its file's name it is a network with anti-aliased strides", {},
                 "resnetaa50_a1h-4cf422b3.safetensors");
}

TEST_F(ConvertNetwork, RefusesToContradictInSilence) {
  put(weights_of(tiny_vit()));
  put(Json{{"model_type", "vit"}, {"num_attention_heads", 3}, {"hidden_size", 16}, {"num_hidden_layers", 1}});
  expect_refused("the weights are not what the configuration says: embed_class false by --arch deit3_small_patch16_224",
                 {.architecture = "deit3_small_patch16_224", .ignored_keys = {"num_attention_heads"}});
  put(Json{{"num_attention_heads", 2}});
  expect_refused("--arch vit_base_patch16_224 has 12 heads, config.json's num_attention_heads says 2",
                 {.architecture = "vit_base_patch16_224"});
  EXPECT_THROW(convert_safetensors(folder_, {.architecture = "resnetaa50"}), UsageError);
  std::filesystem::remove(folder_ / "config.json");
  put(weights_of(tiny_resnet()));
  expect_refused("the tensors are those of a resnet, not of a vit", {.architecture = "vit_base_patch16_224"});
}

TEST_F(ConvertNetwork, NamesTheKindOfNetworkThatTensorsShow) {
  const auto refused = [&](const ModelConfig& config, const char* name, const Shape& shape, const std::string& part) {
    WeightStore weights = weights_of(config);
    if (weights.contains(name)) weights.take(name);
    weights.put(name, Tensor::zeros(shape));
    put(weights);
    expect_refused(part, {.preprocess = {.choice = "torchvision"}});
  };
  refused(tiny_resnet(), "conv1.0.weight", {4, 3, 3, 3}, "a deep stem");
  refused(tiny_resnet(), "conv1.weight", {4, 1, 7, 7}, "pictures of 1 channels");
  refused(tiny_resnet(), "layer1.0.conv2.weight", {4, 2, 3, 3}, "grouped convolutions (ResNeXt)");
  refused(tiny_resnet(), "layer1.0.conv3.weight", {8, 8, 1, 1}, "wide bottlenecks");
  refused(tiny_resnet(), "layer2.0.downsample.1.weight", {8, 4, 1, 1}, "average pooling in its shortcuts");
  refused(tiny_resnet(), "layer1.0.se.fc1.weight", {1, 4, 1, 1}, "squeeze-and-excitation");
  refused(tiny_vit(), "dist_token", {1, 1, 16}, "a distillation token");
  refused(tiny_vit(), "norm_pre.weight", {16}, "a norm before the blocks (CLIP)");
  put(renamed(weights_of(tiny_vit()), [](const std::string& name) { return name == "cls_token" ? "other" : name; }));
  expect_refused("no class token");
  put(renamed(weights_of(tiny_vit()), [](const std::string& name) { return "x" + name; }));
  put(Json{{"architecture", "resnet18"}});
  expect_refused("one is 'xblocks.0.attn.proj.bias'; config.json's architecture 'resnet18'");
}

}  // namespace
}  // namespace tessera
