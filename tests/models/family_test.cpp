// A family is one file: what it says is complete, and nothing outside models/ names one.

#include "models/family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "core/error.h"
#include "models/registry.h"
#include "models/timm_table.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

TEST(Families, SayWhatTheyAre) {
  std::set<std::string> files;
  for (const Family* family : families()) {
    EXPECT_EQ(find_family(family->name), family);
    EXPECT_GT(family->lesson.size(), 100U) << family->name;
    ASSERT_FALSE(family->papers.empty());
    EXPECT_EQ(family->papers.back().part, "") << family->name;
    for (const ParameterDescription& parameter : family->builder.parameters) EXPECT_FALSE(parameter.meaning.empty());
    for (const std::string_view parameter : family->timm.decided) {
      EXPECT_TRUE(family->builder.defaults.contains(parameter)) << family->name << ": " << parameter;
    }
    for (const auto& [argument, parameter] : family->timm.parameters) {
      EXPECT_TRUE(family->builder.defaults.contains(parameter)) << family->name << ": " << parameter;
    }
    for (const auto& [key, parameter] : family->hugging_face.parameters) {
      EXPECT_TRUE(family->builder.defaults.contains(parameter)) << family->name << ": " << parameter;
    }
    for (const std::string_view row : family->rows) {
      ASSERT_NE(find_row(row), nullptr) << row << " is not in timm's table, or the family does not build it";
      EXPECT_EQ(find_row(row)->family, family->name);
    }
    EXPECT_FALSE(family->references.empty());
    for (const ReferenceCase& reference : family->references) EXPECT_TRUE(files.insert(reference.file).second);
  }
}

// timm's networks that were found to be tessera's by looking at their modules.
TEST(Families, BuildTheNetworksOfTimmsThatTheyShould) {
  const std::set<std::string> expected{"deit3_base_patch16_224",
                                       "deit3_base_patch16_384",
                                       "deit3_huge_patch14_224",
                                       "deit3_large_patch16_224",
                                       "deit3_large_patch16_384",
                                       "deit3_medium_patch16_224",
                                       "deit3_small_patch16_224",
                                       "deit3_small_patch16_384",
                                       "deit_base_patch16_224",
                                       "deit_base_patch16_384",
                                       "deit_small_patch16_224",
                                       "deit_tiny_patch16_224",
                                       "efficientnet_lite0",
                                       "eva_large_patch14_196",
                                       "eva_large_patch14_336",
                                       "flexivit_base",
                                       "flexivit_large",
                                       "flexivit_small",
                                       "resnet101",
                                       "resnet152",
                                       "resnet18",
                                       "resnet200",
                                       "resnet26",
                                       "resnet34",
                                       "resnet50",
                                       "test_vit",
                                       "tf_efficientnet_lite0",
                                       "vit_base_patch14_dinov2",
                                       "vit_base_patch14_reg1_tipsv2",
                                       "vit_base_patch14_reg4_dinov2",
                                       "vit_base_patch16_224",
                                       "vit_base_patch16_224_miil",
                                       "vit_base_patch16_384",
                                       "vit_base_patch16_plus_240",
                                       "vit_base_patch32_224",
                                       "vit_base_patch32_384",
                                       "vit_base_patch32_plus_256",
                                       "vit_base_patch8_224",
                                       "vit_giant_patch14_224",
                                       "vit_gigantic_patch14_224",
                                       "vit_huge_patch14_224",
                                       "vit_large_patch14_224",
                                       "vit_large_patch14_dinov2",
                                       "vit_large_patch14_reg1_tipsv2",
                                       "vit_large_patch14_reg4_dinov2",
                                       "vit_large_patch16_224",
                                       "vit_large_patch16_384",
                                       "vit_large_patch32_224",
                                       "vit_large_patch32_384",
                                       "vit_small_patch14_dinov2",
                                       "vit_small_patch14_reg4_dinov2",
                                       "vit_small_patch16_224",
                                       "vit_small_patch16_36x1_224",
                                       "vit_small_patch16_384",
                                       "vit_small_patch32_224",
                                       "vit_small_patch32_384",
                                       "vit_small_patch8_224",
                                       "vit_so400m_patch14_reg1_tipsv2",
                                       "vit_tiny_patch16_224",
                                       "vit_tiny_patch16_384",
                                       "vit_tiny_patch32_224"};
  std::set<std::string> built;
  for (const Architecture& row : architectures()) built.insert(row.name);
  EXPECT_EQ(built, expected);
}

TEST(Families, TellOtherNetworksApart) {
  const std::pair<const char*, const char*> names[] = {
      {"resnet50d", "another stem"}, {"resnetaa50", "anti-aliased"},
      {"convnext_tiny", "ConvNeXt"}, {"swin_tiny_patch4_window7_224", "shifted windows"},
      {"efficientnet_b0", "Lite0"},  {"vit_base_patch16_clip_224", "CLIP"}};
  for (const auto& [name, kind] : names) {
    EXPECT_NE(unsupported_kind(name).find(kind), std::string::npos) << name << ": " << unsupported_kind(name);
    EXPECT_EQ(find_row(name), nullptr);
  }
  EXPECT_EQ(unsupported_kind("resnet50"), "");
}

// A size that is a number is a square, as it stands in files made before there were others.
TEST(Families, TakePicturesThatAreNotSquare) {
  EXPECT_EQ(size_from_json(224), Size2(224));
  EXPECT_EQ(size_to_json(224), Json(224));
  EXPECT_EQ(size_from_json(size_to_json({96, 160})), Size2(96, 160));
  for (const Json& bad :
       {Json(0), Json(-1), Json(2.5), Json("224"), Json{1}, Json{1, 2, 3}, Json{1, 0}, Json{1, "2"}}) {
    EXPECT_THROW(size_from_json(bad), UsageError) << bad;
  }
  for (const Family* family : families()) {
    const ModelConfig config = make_config(family->rows.front(), {{"image_size", {64, 96}}});
    const Graph graph = build_graph(config, 2);
    EXPECT_EQ(graph.shape(graph.input_id()), (Shape{2, 64, 96, 3}));
    EXPECT_EQ(picture_sides(config), Sides(64, 96));
  }
}

TEST(TimmTable, HasPublishedWeights) {
  const TimmWeights* weights = find_timm_weights("timm/resnet50.a1_in1k");
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(weights->hub, "timm/resnet50.a1_in1k");
  EXPECT_EQ(weights->licence, "apache-2.0");
  EXPECT_EQ(weights->classes, 1000);
  EXPECT_EQ(find_timm_weights("resnet50"), nullptr) << "an architecture alone says nothing of its weights";
  EXPECT_EQ(find_timm_weights("resnet50.none"), nullptr);
  const auto published = published_accuracy("resnet50.a1_in1k", 224);
  ASSERT_TRUE(published);
  EXPECT_EQ(published->top1, 80.382);
  EXPECT_EQ(published_accuracy("timm/resnet50.a1_in1k", 288)->top1, 81.240);
  EXPECT_FALSE(published_accuracy("resnet50.a1_in1k", 160));
  EXPECT_FALSE(published_accuracy("resnet50.a1_in1k", Sides(224, 288)));
  std::int64_t results = 0;
  for (const TimmWeights& row : timm_weights()) {
    results += std::ranges::count_if(row.results, [](const PublishedResult& result) { return result.image_size > 0; });
    EXPECT_NE(find_timm_architecture(row.architecture()), nullptr) << row.name;
  }
  EXPECT_GT(results, 1500);
}

TEST(TimmTable, HasTheSizesAtWhichTimmTrainsAndTests) {
  const TimmWeights& weights = *find_timm_weights("resnet50.a1_in1k");
  const Preprocess train = preprocess_of(weights), test = test_preprocess_of(weights);
  EXPECT_EQ(train.crop, 224);
  EXPECT_EQ(train.resize, 235);
  EXPECT_EQ(test.crop, 288);
  EXPECT_EQ(test.resize, 288);
  EXPECT_EQ(at_timms_size(train, weights, "test"), test);
  EXPECT_EQ(at_timms_size(test, weights, "train"), train);
  EXPECT_THROW(at_timms_size(train, weights, "tests"), UsageError);
}

bool begins_with_any(const std::string& path, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return path.starts_with(part); });
}

bool could_name_a_family(const std::string& line) {
  constexpr std::string_view kParts[] = {"resne",  "vit",     "dino",   "deit",  "efficient", "mobilenet", "convnext",
                                         "regnet", "coatnet", "maxvit", "eva02", "swin",      "beit",      "siglip"};
  std::string small(line);
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::any_of(kParts, [&](std::string_view part) { return small.find(part) != std::string::npos; });
}

// Outside models/, tests/ and docs/ no code names a family. Comments may: they decide nothing.
TEST(Families, AreNamedInModelsAlone) {
  constexpr std::string_view kSkipped[] = {"models/", "tests/", "docs/", "build/", ".", "weights/embedded/"};
  // Files that may, and why.
  constexpr std::string_view kAllowed[] = {
      "README.md",
      "CHANGELOG.md",
      "CONTRIBUTING.md",  // texts for people
      "bench/",
      "scripts/",        // what is measured and fetched has names
      "weights/train/",  // trains the two models that come with tessera
      "tools/",          // examples in --help
      "weights/fetch_pypi.py",
      "weights/convert.py",  // examples in --help
      "layers/",
      "cpu/",
      "cuda/",
      "device/",                      // papers, and what was measured
      "vision/imagenet_classes.inc",  // names of classes
  };
  const std::regex name(
      "(^|[^a-z])(resnet|resnext|dinov2|dinov3|efficientnet|mobilenet|convnext|regnet|coatnet|maxvit|eva02)"
      "|(^|[^a-z])(vit|deit|swin|beit|siglip)([^a-z]|$)",
      std::regex::icase | std::regex::optimize);
  const std::regex comment("//.*|^\\s*#.*");
  const fs::path root = TESSERA_SOURCE;
  const std::set<std::string> kinds{".cpp", ".h", ".inc", ".py", ".js", ".txt", ".cmake", ".css", ".sh"};
  std::size_t looked_at = 0;
  for (fs::recursive_directory_iterator entry(root), end; entry != end; ++entry) {
    const std::string path = fs::relative(entry->path(), root).string();
    if (begins_with_any(path + (entry->is_directory() ? "/" : ""), kSkipped)) {
      if (entry->is_directory()) entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file() || !kinds.contains(entry->path().extension().string())) continue;
    if (begins_with_any(path, kAllowed)) continue;
    ++looked_at;
    std::ifstream file(entry->path());
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      if (!could_name_a_family(line)) continue;  // expressions take long
      const std::string code = std::regex_replace(line, comment, "");
      EXPECT_FALSE(std::regex_search(code, name)) << path << ":" << number << ": " << line;
    }
  }
  EXPECT_GT(looked_at, 100U);
}

}  // namespace
}  // namespace tessera
