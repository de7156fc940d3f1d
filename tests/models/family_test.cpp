// A family is one file: what it says is complete, and nothing outside models/ names one.

#include "models/family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
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

// Words by which families are named: those of models/list.inc, and of some that tessera does not have.
std::vector<std::string> family_words() {
  std::vector<std::string> words{"resnext", "dino",   "deit",  "mobilenet", "convnext", "regnet",
                                 "coatnet", "maxvit", "eva02", "swin",      "beit",     "siglip"};
  for (const Family* family : families()) words.emplace_back(family->name.substr(0, family->name.find('_')));
  return words;
}

// Short words must stand alone: "vit" is a part of many others.
std::regex naming_pattern() {
  constexpr std::size_t kShort = 4;
  std::string any, alone;
  for (const std::string& word : family_words()) (word.size() <= kShort ? alone : any) += "|" + word;
  return std::regex("(^|[^a-z])(" + any.substr(1) + ")|(^|[^a-z])(" + alone.substr(1) + ")(v[23])?([^a-z]|$)",
                    std::regex::icase | std::regex::optimize);
}

bool could_name_a_family(const std::string& line, const std::vector<std::string>& words) {
  std::string small(line);
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::any_of(words, [&](const std::string& word) { return small.find(word) != std::string::npos; });
}

// Lines of code in a file that name a family. Comments may, and so may the command lines that --help shows: they decide
// nothing.
std::vector<std::string> lines_that_name_a_family(const fs::path& path) {
  static const std::vector<std::string> words = family_words();
  static const std::regex name = naming_pattern(), no_code("//.*|^\\s*#.*|  tessera .*|for example .*");
  std::vector<std::string> lines;
  std::ifstream file(path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (!could_name_a_family(line, words)) continue;  // expressions take long
    if (!std::regex_search(std::regex_replace(line, no_code, ""), name)) continue;
    lines.push_back(std::to_string(number) + ": " + line);
  }
  return lines;
}

// Outside models/, tests/ and docs/ no code names a family.
TEST(Families, AreNamedInModelsAlone) {
  constexpr std::string_view kSkipped[] = {"models", "tests", "docs", "build"};
  const std::map<std::string, std::string> allowed{
      {"bench/growth.py", "which models it measures"},
      {"bench/layers_bench.cpp", "whose layers it measures"},
      {"bench/peers.py", "which models it measures beside other programs"},
      {"bench/vision_bench.cpp", "whose preprocessing it measures"},
      {"scripts/fuzz.sh", "files of tests/data that it starts from"},
      {"scripts/gpu_estimate.py", "which models it estimates"},
      {"scripts/quickstart.sh", "which models it shows"},
      {"weights/convert.py", "examples in its help"},
      {"weights/fetch_pypi.py", "examples in its help"},
      {"weights/train/train_shapes.py", "trains the two models that come with tessera, in PyTorch"},
  };
  const std::set<std::string> kinds{".cpp", ".h", ".cu", ".inc", ".py", ".js", ".txt", ".cmake", ".css", ".sh"};
  const fs::path root = TESSERA_SOURCE;
  std::set<std::string> found;
  std::size_t looked_at = 0;
  for (fs::recursive_directory_iterator entry(root), end; entry != end; ++entry) {
    const std::string path = fs::relative(entry->path(), root).string();
    if (entry->is_directory()) {
      const bool skipped = path.starts_with('.') || std::ranges::find(kSkipped, path) != std::end(kSkipped);
      if (skipped) entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file() || !kinds.contains(entry->path().extension().string())) continue;
    ++looked_at;
    const std::vector<std::string> lines = lines_that_name_a_family(entry->path());
    if (lines.empty()) continue;
    found.insert(path);
    if (!allowed.contains(path)) ADD_FAILURE() << path << ":" << lines.front();
  }
  EXPECT_GT(looked_at, 100U);
  for (const auto& [path, why] : allowed) EXPECT_TRUE(found.contains(path)) << path << " need not be allowed: " << why;
}

}  // namespace
}  // namespace tessera
