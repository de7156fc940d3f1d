// Conversion of other libraries' files.

#include "weights/convert.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "evaluation/check/verify.h"
#include "evaluation/ready/classifier.h"
#include "weights/name_maps.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(TESSERA_TEST_DATA) / "weights";

class Converted : public testing::TestWithParam<const char*> {};

// The files that timm and transformers wrote give, converted, the logits that timm and transformers get.
TEST_P(Converted, GivesTheReferencesLogits) {
  LoadedModel model = convert_safetensors(kData / GetParam());
  const ActivationFile reference = read_activation_file(kData / GetParam() / "expected.h5");
  const VerifyResult result = verify_model(std::move(model), reference, {.max_batch = 2}, {2e-6, 2e-6});
  EXPECT_TRUE(result.passed()) << result.output.max_error;
}

INSTANTIATE_TEST_SUITE_P(All, Converted,
                         testing::Values("hf_vit_hub", "hf_vit_modules", "hf_dinov2_hub", "hf_dinov2_modules",
                                         "hf_dinov2_registers_hub", "hf_dinov2_registers_modules", "hf_vit_model",
                                         "hf_dinov2_model", "timm_vit"));

TEST(Convert, TakesWhatWeightsDoNotSayFromTheConfigurations) {
  const LoadedModel vit = convert_safetensors(kData / "hf_vit_hub");
  EXPECT_EQ(vit.card.config.parameters.at("norm_eps"), 1e-12);
  EXPECT_EQ(vit.card.config.parameters.at("heads"), 2);
  EXPECT_EQ(vit.card.preprocess.resize_mode, ResizeMode::kSquash);
  EXPECT_EQ(vit.card.preprocess.output_size(), 32);
  EXPECT_EQ(vit.card.source.sha256.size(), 64U);
  EXPECT_EQ(vit.card.name, "hf_vit_hub");
  const LoadedModel dinov2 = convert_safetensors(kData / "hf_dinov2_hub");
  EXPECT_EQ(dinov2.card.config.parameters.at("head"), "linear_cls_mean");
  EXPECT_EQ(dinov2.card.config.parameters.at("layer_scale"), true);
  EXPECT_EQ(dinov2.card.config.parameters.at("interpolate_antialias"), false);
  const LoadedModel timm = convert_safetensors(kData / "timm_vit", {.name = "mine"});
  EXPECT_EQ(timm.card.name, "mine");
  EXPECT_EQ(timm.card.preprocess.resize, 35);
}

TEST(Convert, RefusesAnotherArchitecture) {
  EXPECT_THROW(convert_safetensors(kData / "timm_vit", {.architecture = "resnet50"}), ModelFileError);
  EXPECT_THROW(convert_safetensors(kData / "timm_vit", {.architecture = "resnet"}), UsageError);
  EXPECT_THROW(convert_safetensors(kData / "missing"), ModelFileError);
}

// A copy of a converted folder whose configuration files a test changes.
class ConvertFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-convert-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::copy(kData / "hf_vit_hub", folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void change_config(const nlohmann::json& changes) const {
    std::ifstream file(kData / "hf_vit_hub" / "config.json");
    nlohmann::json config = nlohmann::json::parse(file);
    config.update(changes);
    std::ofstream(folder_ / "config.json") << config.dump();
  }
  Preprocess with_processor(const nlohmann::json& processor) const {
    std::ofstream(folder_ / "preprocessor_config.json") << processor.dump();
    return convert_safetensors(folder_).card.preprocess;
  }
  void expect_refused(const std::string& part) const {
    try {
      convert_safetensors(folder_);
      ADD_FAILURE() << "converted; expected: " << part;
    } catch (const ModelFileError& error) {
      EXPECT_EQ(std::string(error.what()).find(folder_.string()), 0U) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  fs::path folder_;
};

TEST_F(ConvertFolder, ReadsImageProcessors) {
  const nlohmann::json square{{"height", 32}, {"width", 32}};
  const Preprocess vit = with_processor({{"image_processor_type", "ViTImageProcessor"}, {"size", square}});
  // A name that says neither is torchvision's to transformers 5; Pil and Fast say it.
  EXPECT_EQ(vit, Preprocess::hf_squash(32, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F},
                                       PreprocessFlavour::kHfFast));
  const Preprocess pillow = with_processor({{"image_processor_type", "ViTImageProcessorPil"}, {"size", square}});
  EXPECT_EQ(pillow, Preprocess::hf_squash(32, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}));
  const Preprocess fast = with_processor(
      {{"image_processor_type", "ViTImageProcessorFast"}, {"size", square}, {"resample", 3}, {"do_normalize", false}});
  EXPECT_EQ(fast, Preprocess::hf_squash(32, Filter::kBicubic, {0, 0, 0}, {1, 1, 1}, PreprocessFlavour::kHfFast));
  const Preprocess bit = with_processor({{"image_processor_type", "BitImageProcessor"},
                                         {"size", {{"shortest_edge", 40}}},
                                         {"do_center_crop", true},
                                         {"crop_size", square},
                                         {"image_mean", {0.1, 0.2, 0.3}}});
  EXPECT_EQ(bit.resize_mode, ResizeMode::kShortestEdge);
  EXPECT_EQ(bit.resize, 40);
  EXPECT_EQ(bit.crop, 32);
  EXPECT_EQ(bit.filter, Filter::kBicubic);
  EXPECT_EQ(bit.mean[2], 0.3F);
  const Preprocess convnext = with_processor(
      {{"feature_extractor_type", "ConvNextFeatureExtractor"}, {"size", 32}, {"crop_pct", 0.875}, {"resample", 3}});
  EXPECT_EQ(convnext.resize_mode, ResizeMode::kShortestEdge);
  EXPECT_EQ(convnext.resize, 36);  // int(32 / 0.875)
  EXPECT_EQ(convnext.crop, 32);
}

// What a processor's file leaves out is what its class has, and null is left out.
TEST_F(ConvertFolder, TakesTheDefaultsOfTheProcessorsClass) {
  const Preprocess deit = with_processor({{"image_processor_type", "DeiTImageProcessor"}, {"crop_size", 32}});
  EXPECT_EQ(deit.resize_mode, ResizeMode::kSquash);
  EXPECT_EQ(deit.resize, 256);
  EXPECT_EQ(deit.filter, Filter::kBicubic);
  EXPECT_EQ(deit.mean[0], 0.5F);
  const Preprocess clip =
      with_processor({{"feature_extractor_type", "CLIPFeatureExtractor"}, {"size", 40}, {"crop_size", 32}});
  EXPECT_EQ(clip.resize_mode, ResizeMode::kShortestEdge);
  EXPECT_EQ(clip.resize, 40);
  EXPECT_EQ(clip.crop, 32);
  EXPECT_EQ(clip.mean[0], 0.48145466F);
  const Preprocess bit = with_processor({{"image_processor_type", "BitImageProcessorFast"},
                                         {"size", {{"height", 32}, {"width", 32}}},
                                         {"do_center_crop", false},
                                         {"resample", nullptr},
                                         {"image_mean", nullptr}});
  EXPECT_EQ(bit.resize_mode, ResizeMode::kSquash);
  EXPECT_EQ(bit.filter, Filter::kBicubic);
  EXPECT_EQ(bit.std[2], 0.27577711F);
  const Preprocess vit = with_processor({{"image_processor_type", "ViTImageProcessorFast"},
                                         {"size", {{"height", 32}, {"width", 32}}},
                                         {"do_center_crop", nullptr}});
  EXPECT_EQ(vit.crop, 0);
  // A file that names no class is read as transformers reads it for that kind of model.
  EXPECT_EQ(with_processor({{"size", 32}}).filter, Filter::kBilinear);
  EXPECT_EQ(convert_safetensors(folder_).card.follows, "transformers 5.23");
}

TEST_F(ConvertFolder, AdaptsToThePictureSizeOfTheProcessor) {
  std::ofstream(folder_ / "preprocessor_config.json") << R"({"size": {"height": 48, "width": 48}})";
  const LoadedModel model = convert_safetensors(folder_);
  EXPECT_EQ(model.card.config.parameters.at("image_size"), 48);
  EXPECT_EQ(model.card.config.parameters.at("pos_grid"), 4);
}

TEST_F(ConvertFolder, RefusesWhatItDoesNotKnow) {
  const std::pair<nlohmann::json, const char*> processors[] = {
      {{{"do_rescale", false}}, "only pixels rescaled by 1 / 255"},
      {{{"rescale_factor", 1.0}}, "only pixels rescaled by 1 / 255"},
      {{{"size", {{"height", 32}, {"width", 44}}}}, "image_size 32x44 is not a multiple of patch 8"},
      {{{"size", -1}}, "a side of -1 pixels"},
      {{{"size", 1e9}}, "a side of 1000000000.0 pixels"},
      {{{"size", 1e300}}, "not a JSON object"},
      {{{"feature_extractor_type", "ConvNextFeatureExtractor"}, {"size", 32}, {"crop_pct", 0.0}}, "crop_pct 0 is not"},
      {{{"resample", 5}}, "resample 5 is not supported"},
      {{{"image_mean", "none"}}, "'image_mean' is \"none\""},
      {{{"image_mean", {0.5}}}, "three channels"},
      {{{"do_pad", true}}, "'do_pad' is not supported"},
      {{{"do_reduce_labels", true}}, "'do_reduce_labels' is true"},
      {{{"image_processor_type", "SiglipImageProcessor"}},
       "'SiglipImageProcessor' is not one that tessera has (ViTImageProcessor"},
      {{{"image_std", {0, 0, 0}}}, "std 0 of channel 0 cannot be"},
      {{{"size", {{"height", 1 << 30}, {"width", 1 << 30}}}}, "a side of 1073741824 pixels"},
      {nlohmann::json::array(), "is not a JSON object"},
  };
  for (const auto& [processor, part] : processors) {
    std::ofstream(folder_ / "preprocessor_config.json") << processor.dump();
    expect_refused(part);
  }
  fs::remove(folder_ / "preprocessor_config.json");
  expect_refused("nothing says how its pictures are prepared");
  change_config({{"hidden_act", "quick_gelu"}});
  expect_refused("'hidden_act' is \"quick_gelu\": tessera has only \"gelu\"");
  change_config({{"layer_norm_eps", "small"}});
  expect_refused("cannot be used");
  change_config({{"num_attention_heads", "two"}});
  expect_refused("num_attention_heads is \"two\"");
  change_config({{"hidden_size", 32}});
  expect_refused("dim 32 by hidden_size, but the tensors have 16");
  change_config({{"attention_window", 7}});
  expect_refused(
      "'attention_window' is 7: tessera does not know what it changes; if it changes nothing in this "
      "network, --ignore-config attention_window");
  change_config({{"model_type", "vit_msn"}});
  expect_refused("model_type 'vit_msn' (ViTForImageClassification) is not one that tessera has");
  change_config({{"architectures", {"ViTForMaskedImageModeling"}}});
  expect_refused("'ViTForMaskedImageModeling'");
}

TEST_F(ConvertFolder, TakesLabelsFromTheConfiguration) {
  change_config({{"id2label", {{"0", "a"}, {"1", "b"}, {"2", "c"}, {"3", "d"}, {"4", "e"}}}});
  const LoadedModel model = convert_safetensors(folder_);
  EXPECT_EQ(model.card.labels.size(), 5U);
  EXPECT_EQ(model.card.labels.name(3), "d");
  // In any order, and past nine.
  change_config({{"id2label", {{"4", "e"}, {"2", "c"}, {"0", "a"}, {"3", "d"}, {"1", "b"}}}});
  EXPECT_EQ(convert_safetensors(folder_).card.labels.name(2), "c");
  change_config({{"id2label", {{"0", "LABEL_0"}, {"1", "LABEL_1"}}}});  // transformers' placeholders
  EXPECT_EQ(convert_safetensors(folder_).card.labels.size(), 0U);
}

// Names are looked at when a model is made, not when it is opened.
TEST_F(ConvertFolder, ChecksTheNamesOfClasses) {
  const auto refused = [&](const nlohmann::json& names, const std::string& part) {
    change_config({{"id2label", names}});
    expect_refused(part);
  };
  refused({{"0", "a"}, {"1", "b"}, {"2", "c"}, {"3", "d"}}, "id2label has 4 names for 5 classes");
  refused({{"0", "a"}, {"1", "b"}, {"2", "c"}, {"3", "d"}, {"5", "e"}}, "a class '5'");
  refused({{"0", "a"}, {"1", "b"}, {"2", "a"}, {"3", "d"}, {"4", "e"}}, "classes 0 and 2 are both 'a'");
  refused({{"0", "a"}, {"1", "b"}, {"2", "c\nd"}, {"3", "d"}, {"4", "e"}}, "the name of class 2 holds a line's end");
  refused({{"0", "a"}, {"1", ""}, {"2", "c"}, {"3", "d"}, {"4", "e"}}, "the name of class 1 is empty");
  refused({{"0", "a"}, {"1", 7}, {"2", "c"}, {"3", "d"}, {"4", "e"}}, "is 7, not a name");
  std::ofstream(folder_ / "names.txt") << "v\nw\nx\ny\nz\n";
  const std::string file = (folder_ / "names.txt").string();
  EXPECT_EQ(convert_safetensors(folder_, {.labels = file}).card.labels.name(4), "z");
  EXPECT_EQ(convert_safetensors(folder_, {.labels = "none"}).card.labels.size(), 0U);
  EXPECT_THROW(convert_safetensors(folder_, {.labels = "imagenet-1k"}), UsageError);
}

TEST_F(ConvertFolder, LeavesOutKeysThatTheUserKnowsToBeHarmless) {
  change_config({{"attention_window", 7}});
  EXPECT_EQ(convert_safetensors(folder_, {.ignored_keys = {"attention_window"}}).card.config.parameters.at("heads"), 2);
}

TEST_F(ConvertFolder, TakesThePreprocessingThatTheUserSays) {
  fs::remove(folder_ / "preprocessor_config.json");
  PreprocessOptions said{.mean = {{0.1F, 0.2F, 0.3F}}, .std = {{1, 1, 1}}, .interpolation = "bilinear"};
  EXPECT_THROW(convert_safetensors(folder_, {.preprocess = said}), ModelFileError);  // the crop is not said
  said.crop_pct = 0.8;
  const Preprocess whole = convert_safetensors(folder_, {.preprocess = said}).card.preprocess;
  EXPECT_EQ(whole, Preprocess::timm(32, 0.8, Filter::kBilinear, {0.1F, 0.2F, 0.3F}, {1, 1, 1}));
  said.crop_mode = "squash";
  EXPECT_EQ(convert_safetensors(folder_, {.preprocess = said}).card.preprocess.resize_mode, ResizeMode::kSquash);
  std::ofstream(folder_ / "mine.json") << R"({"image_processor_type": "ViTImageProcessorPil", "size": 48})";
  const std::string file = (folder_ / "mine.json").string();
  EXPECT_EQ(convert_safetensors(folder_, {.preprocess = {.choice = file}}).card.preprocess.output_size(), 48);
  EXPECT_THROW(convert_safetensors(folder_, {.preprocess = {.choice = "none.json"}}), UsageError);
}

TEST_F(ConvertFolder, NamesASnapshotOfTheHubsCacheByItsRepository) {
  const fs::path snapshot =
      folder_ / "models--google--vit-tiny" / "snapshots" / "3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3";
  fs::create_directories(snapshot.parent_path());
  fs::copy(kData / "hf_vit_hub", snapshot);
  EXPECT_EQ(convert_safetensors(snapshot).card.name, "google/vit-tiny");
}

TEST(Convert, SendsOtherFormatsToTheScript) {
  try {
    convert_safetensors("weights.pth");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("weights/convert.py"), std::string::npos);
  }
}

// Pairs of names whose meaning was checked by the logits of both libraries.
TEST(NameMaps, KnowHuggingFaceResNets) {
  std::ifstream file(kData / "hf_resnet_names.json");
  const nlohmann::json models = nlohmann::json::parse(file);
  ASSERT_EQ(models.size(), 2U);
  for (const auto& [model, pairs] : models.items()) {
    WeightStore weights;
    float number = 0;
    for (const auto& [theirs, ours] : pairs.items()) weights.put(theirs, Tensor::filled({1}, ++number));
    const RenamedWeights renamed = rename_to_timm(std::move(weights));
    EXPECT_EQ(renamed.naming->name, "Hugging Face");
    number = 0;
    std::size_t kept = 0;
    for (const auto& [theirs, ours] : pairs.items()) {
      ++number;
      if (theirs.ends_with("num_batches_tracked")) continue;
      ASSERT_TRUE(renamed.weights.contains(ours.get<std::string>())) << theirs << " should become " << ours;
      EXPECT_EQ(renamed.weights.at(ours.get<std::string>()).data()[0], number) << theirs;
      ++kept;
    }
    EXPECT_EQ(renamed.weights.tensors().size(), kept) << model;
    EXPECT_GE(kept, 102U);
  }
}

WeightStore one_attention(std::initializer_list<const char*> parts) {
  WeightStore weights;
  weights.put("vit.embeddings.patch_embeddings.projection.weight", Tensor::zeros({2, 3, 1, 1}));
  for (const char* part : parts) weights.put("vit." + std::string(part) + ".bias", Tensor::filled({2}, 1));
  return weights;
}

TEST(NameMaps, RefuseQueriesWithoutTheirPartners) {
  const std::string old = "encoder.layer.0.attention.attention.";
  EXPECT_THROW(rename_to_timm(one_attention({(old + "query").c_str(), (old + "key").c_str()})), ModelFileError);
  const RenamedWeights whole =
      rename_to_timm(one_attention({(old + "query").c_str(), (old + "key").c_str(), (old + "value").c_str()}));
  EXPECT_EQ(whole.weights.at("blocks.0.attn.qkv.bias").shape(), Shape{6});
  // Both spellings of one tensor.
  EXPECT_THROW(rename_to_timm(one_attention({(old + "query").c_str(), (old + "key").c_str(), (old + "value").c_str(),
                                             "layers.0.attention.q_proj"})),
               ModelFileError);
}

TEST(NameMaps, KeepUnknownNamesForTheCheckToList) {
  WeightStore weights = one_attention({});
  weights.put("vit.encoder.layer.0.extra.weight", Tensor::zeros({1}));
  weights.put("vit.encoder.layer.x", Tensor::zeros({1}));
  const RenamedWeights renamed = rename_to_timm(std::move(weights));
  EXPECT_TRUE(renamed.weights.contains("vit.encoder.layer.0.extra.weight"));
  EXPECT_TRUE(renamed.weights.contains("vit.encoder.layer.x"));
}

// Another library's rounding, on the picture that the model was made for.
TEST(ChoosePreprocess, KeepsTheCardsGeometry) {
  ModelCard card{.name = "deit", .config = make_config("vit_base_patch16_224")};
  card.preprocess = {.resize_mode = ResizeMode::kShortestEdge,
                     .resize = 249,
                     .crop = 224,
                     .filter = Filter::kBicubic,
                     .mean = {0.1F, 0.2F, 0.3F},
                     .std = {0.4F, 0.5F, 0.6F}};
  for (const char* flavour : {"timm", "hf", "hf-fast"}) {
    Preprocess expected = card.preprocess;
    expected.flavour = flavour_from_string(flavour);
    EXPECT_EQ(choose_preprocess(card, flavour), expected) << flavour;
  }
  EXPECT_EQ(choose_preprocess(card, "model"), card.preprocess);
  EXPECT_THROW(choose_preprocess(card, "keras"), UsageError);
}

}  // namespace
}  // namespace tessera
