// How weights are stored: prefixes, other libraries' names, several files, names of classes.

#include <set>

#include "tests/weights/weight_folder.h"
#include "weights/known_files.h"
#include "weights/name_maps.h"
#include "weights/sha256.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

class ConvertFiles : public WeightFolder {};

TEST_F(ConvertFiles, TakesWrappersOff) {
  put(vit_config());
  const WeightStore plain = weights_of(tiny_vit());
  for (const char* prefix :
       {"model.", "_orig_mod.", "module.", "backbone.", "timm_model.", "module._orig_mod.model.", "net."}) {
    put(renamed(weights_of(tiny_vit()), [&](const std::string& name) { return prefix + name; }));
    expect_equal(converted().weights, plain);
    EXPECT_EQ(notes_.find("names without their prefix '" + std::string(prefix) + "'"), 0U) << notes_;
  }
}

TEST_F(ConvertFiles, TakesTheTrainedOneOfTwoNetworks) {
  put(resnet_config());
  const ModelConfig features = with_classes(tiny_resnet(), 0);
  for (const auto& [first, second] : {std::pair{"module.encoder_q.", "module.encoder_k."},
                                      {"module.base_encoder.", "module.momentum_encoder."},
                                      {"teacher.backbone.", "student.backbone."}}) {
    const std::string trained = first, other = second;
    WeightStore weights = renamed(weights_of(features), [&](const std::string& name) { return trained + name; });
    WeightStore wrong =
        renamed(seeded_model(features, 4).weights, [&](const std::string& name) { return other + name; });
    std::set<std::string> names;
    for (const auto& [name, tensor] : wrong.tensors()) names.insert(name);
    for (const std::string& name : names) weights.put(name, wrong.take(name));
    const std::string projection = trained + "fc.0.weight";
    if (!projection.starts_with("teacher")) weights.put(projection, Tensor::zeros({8, 32}));
    put(weights);
    expect_equal(converted().weights, weights_of(features));
    EXPECT_NE(notes_.find("without what is not under that prefix"), std::string::npos) << notes_;
    expect_equal(converted({.prefix = other}).weights, seeded_model(features, 4).weights);
  }
}

TEST_F(ConvertFiles, RefusesToChooseBetweenNetworksOrToLoseAHead) {
  put(resnet_config());
  WeightStore two = renamed(weights_of(tiny_resnet()), [](const std::string& name) { return "a." + name; });
  two.put("b.layer1.0.conv1.weight", Tensor::zeros({4, 4, 3, 3}));
  put(two);
  expect_refused("several networks in it, under the prefixes 'a., b.'; --prefix P");
  expect_refused("no tensor's name begins with 'c.'", {.prefix = "c."});
  WeightStore headless =
      renamed(weights_of(with_classes(tiny_resnet(), 0)), [](const std::string& name) { return "backbone." + name; });
  headless.put("classifier.weight", Tensor::zeros({5, 32}));
  headless.put("loss.scale", Tensor::zeros({1}));
  put(headless);
  expect_refused("'classifier.weight' [5, 32] stands outside of the network under 'backbone.'");
  EXPECT_EQ(class_count(converted({.prefix = "backbone."}).card.config), 0);
}

// Blocks are counted through the stages there.
TEST(NameMaps, KnowEfficientNetLitesAuthors) {
  const std::pair<const char*, const char*> names[] = {
      {"_conv_stem.weight", "conv_stem.weight"},
      {"_bn0.running_var", "bn1.running_var"},
      {"_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"},
      {"_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"},
      {"_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"},
      {"_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"},
      {"_blocks.2._bn0.weight", "blocks.1.1.bn1.weight"},
      {"_blocks.15._project_conv.weight", "blocks.6.0.conv_pwl.weight"},
      {"_blocks.15._bn2.running_mean", "blocks.6.0.bn3.running_mean"},
      {"_conv_head.weight", "conv_head.weight"},
      {"_bn1.weight", "bn2.weight"},
      {"_fc.bias", "classifier.bias"},
      {"_blocks.16._bn2.bias", "_blocks.16._bn2.bias"},  // one more than there are
      {"_blocks.x._bn2.bias", "_blocks.x._bn2.bias"},
  };
  WeightStore weights;
  float number = 0;
  for (const auto& [theirs, ours] : names) weights.put(theirs, Tensor::filled({1}, ++number));
  const RenamedWeights renamed = rename_to_timm(std::move(weights));
  number = 0;
  for (const auto& [theirs, ours] : names) {
    ++number;
    ASSERT_TRUE(renamed.weights.contains(ours)) << theirs;
    EXPECT_EQ(renamed.weights.at(ours).data()[0], number) << theirs;
  }
}

// A configuration that is there and cannot be read, or that the user has named, is never taken for none.
TEST_F(ConvertFiles, DoesNotPassOverAConfigurationThatCannotBeRead) {
  namespace fs = std::filesystem;
  put(weights_of(tiny_vit()));
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    put(vit_config());
    converted();
    const fs::path file = folder_ / name;
    fs::remove(file);
    fs::create_symlink("nowhere", file);
    expect_refused(std::string(name) + ": no such file, or not a regular one");
    fs::remove(file);
    fs::create_symlink(name, file);  // to itself
    expect_refused(std::string(name) + ": ");
    fs::remove(file);
    fs::create_directory(file);
    expect_refused(std::string(name) + ": no such file, or not a regular one");
    fs::remove(file);
  }
  put(vit_config());
  for (const ConvertOptions& options :
       {ConvertOptions{.config_file = "lost.json"}, ConvertOptions{.processor_file = "lost.json"}}) {
    try {
      convert_safetensors(folder_, options);
      ADD_FAILURE() << "converted";
    } catch (const UsageError& error) {
      const std::string option = options.config_file.empty() ? "--processor" : "--config";
      EXPECT_EQ(error.what(), option + " lost.json: no such file");
    }
  }
}

TEST_F(ConvertFiles, KnowsTorchvisionsTransformers) {
  put(Json{{"num_attention_heads", 2}, {"pretrained_cfg", pictures()}});
  const auto torchvision = [](std::string name) {
    const std::pair<const char*, const char*> rules[] = {
        {"cls_token", "class_token"},
        {"pos_embed", "encoder.pos_embedding"},
        {"patch_embed.proj.", "conv_proj."},
        {"head.", "heads.head."},
        {"blocks.0.norm1.", "encoder.layers.encoder_layer_0.ln_1."},
        {"blocks.0.norm2.", "encoder.layers.encoder_layer_0.ln_2."},
        {"blocks.0.attn.qkv.", "encoder.layers.encoder_layer_0.self_attention.in_proj_"},
        {"blocks.0.attn.proj.", "encoder.layers.encoder_layer_0.self_attention.out_proj."},
        {"blocks.0.mlp.fc1.", "encoder.layers.encoder_layer_0.mlp.0."},
        {"blocks.0.mlp.fc2.", "encoder.layers.encoder_layer_0.mlp.3."},
        {"norm.", "encoder.ln."}};
    for (const auto& [ours, theirs] : rules) {
      if (name.starts_with(ours)) return theirs + name.substr(std::string(ours).size());
    }
    return name;
  };
  put(renamed(weights_of(tiny_vit()), torchvision));
  const LoadedModel model = converted();
  expect_equal(model.weights, weights_of(tiny_vit()));
  EXPECT_EQ(model.card.config.parameters.at("interpolate_antialias"), false);
}

TEST_F(ConvertFiles, KnowsDinosRegistersAndMaskedAutoencoders) {
  put(Json{{"num_attention_heads", 2}, {"pretrained_cfg", pictures()}});
  const ModelConfig headless = tiny_vit({{"classes", 0}, {"head", "none"}});
  WeightStore dino = weights_of(headless);
  Tensor token = Tensor::filled({1, 1, 16}, 0.5F);
  dino.take("cls_token");
  dino.put("cls_token", std::move(token));
  const float position = dino.at("pos_embed").data()[3];
  dino.put("register_tokens", Tensor::filled({1, 4, 16}, 0.25F));
  dino.put("mask_token", Tensor::zeros({1, 16}));
  put(dino);
  const LoadedModel model = converted();
  EXPECT_EQ(model.card.config.parameters.at("registers"), 4);
  EXPECT_EQ(model.weights.at("pos_embed").shape(), (Shape{1, 4, 16}));
  EXPECT_EQ(model.weights.at("cls_token").data()[3], 0.5F + position);

  WeightStore autoencoder = weights_of(headless);
  for (const char* name :
       {"decoder_embed.weight", "decoder_blocks.0.attn.qkv.weight", "decoder_pos_embed", "mask_token"}) {
    autoencoder.put(name, Tensor::zeros({16, 16}));
  }
  put(autoencoder);
  expect_equal(converted().weights, weights_of(headless));
  EXPECT_NE(notes_.find("without the decoder"), std::string::npos) << notes_;
}

TEST_F(ConvertFiles, ReadsSeveralFilesWithAnIndex) {
  put(vit_config());
  WeightStore first = weights_of(tiny_vit()), second;
  for (const char* name : {"pos_embed", "head.weight"}) second.put(name, first.take(name));
  Json map = Json::object();
  for (const auto& [name, tensor] : first.tensors()) map[name] = "model-00001-of-00002.safetensors";
  for (const auto& [name, tensor] : second.tensors()) map[name] = "model-00002-of-00002.safetensors";
  put(first, "model-00001-of-00002.safetensors");
  put(second, "model-00002-of-00002.safetensors");
  const auto index = [&](const Json& json) { std::ofstream(folder_ / "model.safetensors.index.json") << json.dump(); };
  expect_refused("has several weights and no model.safetensors.index.json");
  index({{"metadata", {{"total_size", 1}}}, {"weight_map", map}});
  const LoadedModel model = converted();
  expect_equal(model.weights, weights_of(tiny_vit()));
  EXPECT_EQ(model.card.source.sha256.size(), 64U);
  EXPECT_EQ(model.card.name, folder_.filename().string());
  expect_equal(convert_safetensors(folder_ / "model.safetensors.index.json").weights, model.weights);
  map["head.weight"] = "model-00001-of-00002.safetensors";
  index({{"weight_map", map}});
  expect_refused("model-00001-of-00002.safetensors: lacks 'head.weight'");
  map["head.weight"] = "../other.safetensors";
  index({{"weight_map", map}});
  expect_refused("'head.weight' is not in a file beside it");
  index({{"weight_map", Json::object()}});
  expect_refused("has no weight_map");
  std::filesystem::remove(folder_ / "model-00002-of-00002.safetensors");
  map["head.weight"] = "model-00002-of-00002.safetensors";
  index({{"weight_map", map}});
  expect_refused("model-00002-of-00002.safetensors: cannot be opened");
}

TEST_F(ConvertFiles, ReadsTimmsNamesOfClasses) {
  put(weights_of(tiny_vit()));
  const Json names{"rose", "lily", "iris", "tulip", "daisy"};
  put(vit_config(), Json{{"label_names", names}});
  EXPECT_EQ(converted().card.labels.name(4), "daisy");
  put(vit_config(), Json{{"label_names", names}, {"label_descriptions", {{"iris", "a blue flower"}}}});
  EXPECT_EQ(converted().card.labels.name(2), "a blue flower");
  put(vit_config(),
      Json{{"label_names", {{"4", "daisy"}, {"0", "rose"}, {"1", "lily"}, {"3", "tulip"}, {"2", "iris"}}}});
  EXPECT_EQ(converted().card.labels.name(3), "tulip");
  put(vit_config(), Json{{"label_names", {"a", "b"}}});
  expect_refused("label_names has 2 names for 5 classes");
  put(vit_config());
  EXPECT_EQ(converted().card.labels.size(), 0U);
  EXPECT_NE(notes_.find("its classes have no names"), std::string::npos) << notes_;
}

TEST_F(ConvertFiles, TellsImageNetFromAThousandOtherClasses) {
  put(weights_of(tiny_vit({{"classes", 1000}})));
  const auto labels_of = [&](const std::string& key, const std::function<std::string(std::size_t)>& name) {
    Json names = Json::array();
    for (std::size_t i = 0; i < 1000; ++i) names.push_back(name(i));
    put(vit_config(), Json{{key, names}});
    return converted().card.labels;
  };
  const auto classes = imagenet_classes();
  EXPECT_TRUE(labels_of("label_names", [&](std::size_t i) { return std::string(classes[i].wnid); }).is_imagenet());
  EXPECT_TRUE(labels_of("id2label", [&](std::size_t i) { return std::string(classes[i].label); }).is_imagenet());
  const LabelSet own = labels_of("label_names", [](std::size_t i) { return "species " + std::to_string(i); });
  EXPECT_FALSE(own.is_imagenet());
  EXPECT_EQ(own.name(999), "species 999");
  const LabelSet reversed = labels_of("label_names", [&](std::size_t i) { return std::string(classes[999 - i].wnid); });
  EXPECT_FALSE(reversed.is_imagenet());
  EXPECT_EQ(reversed.name(0), std::string(classes[999].wnid));
  EXPECT_EQ(labels_of("id2label", [](std::size_t i) { return "LABEL_" + std::to_string(i); }).size(), 0U);
  put(vit_config());
  EXPECT_TRUE(converted().card.labels.is_imagenet());
  EXPECT_NE(notes_.find("taken for ImageNet's"), std::string::npos) << notes_;
}

TEST_F(ConvertFiles, NamesTheFileThatAnotherProgramRead) {
  put(weights_of(tiny_resnet()));
  try {
    convert_safetensors(folder_, {.original = {.path = "mine/resnet.pth", .sha256 = "", .origin = "", .notes = ""}});
    FAIL();
  } catch (const ModelFileError& error) {
    EXPECT_EQ(std::string(error.what()).find("mine/resnet.pth: nothing says how its pictures"), 0U) << error.what();
  }
}

// A published file's name holds the first digits of its digest; without them it is any file.
TEST(KnownFiles, AreBelievedWithTheirDigest) {
  const std::string digest = "11ad3fa6" + std::string(56, '0');
  const std::optional<KnownFile> v2 = find_known_file("resnet50-11ad3fa6.pth", digest);
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->preprocess.resize, 232);
  EXPECT_EQ(v2->preprocess.filter, Filter::kBilinear);
  EXPECT_FALSE(find_known_file("resnet50-11ad3fa6.pth", std::string(64, '0')));
  EXPECT_FALSE(find_known_file("resnet50.pth", digest));
  EXPECT_EQ(find_known_file("dino_vitbase8_pretrain.pth", digest)->preprocess.filter, Filter::kBicubic);
}

}  // namespace
}  // namespace tessera
