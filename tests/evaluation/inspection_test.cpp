#include "evaluation/inspect/inspection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <sstream>

#include "core/error.h"
#include "evaluation/inspect/inspection_page.h"
#include "evaluation/inspect/inspection_plot.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

constexpr int kEveryDepth = 100;

Inspection inspected(const std::string& architecture, const std::string& state = "raw", std::int64_t batch = 1) {
  return inspect_model(seeded_card(make_config(architecture), 1), state, batch);
}

std::vector<std::string> lines_of_text(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string line_with(const std::string& text, const std::string& start) {
  for (const std::string& line : lines_of_text(text)) {
    if (line.starts_with(start)) return line;
  }
  return {};
}

TEST(Inspection, TotalsAreThePublishedFigures) {
  const std::string resnet = inspection_text(inspected("resnet50"), 1),
                    vit = inspection_text(inspected("vit_base_patch16_224"), 1);
  EXPECT_NE(line_with(resnet, "Parameters ").find("25,557,032   25.557 M"), std::string::npos) << resnet;
  EXPECT_NE(line_with(resnet, "MACs a picture").find("4,089,184,256     4.09 G"), std::string::npos) << resnet;
  EXPECT_NE(line_with(resnet, "  as fvcore").find("4,111,512,576     4.11 G"), std::string::npos) << resnet;
  EXPECT_NE(line_with(vit, "Parameters ").find("86,567,656   86.568 M"), std::string::npos) << vit;
  EXPECT_NE(line_with(vit, "  as fvcore").find("17,582,740,224    17.58 G"), std::string::npos) << vit;
}

TEST(Inspection, TheShownRowsAddUpAtEveryDepth) {
  for (const char* state : {"raw", "fused"}) {
    for (const char* architecture : {"resnet18", "vit_tiny_patch16_224", "efficientnet_lite0"}) {
      const Inspection inspection = inspected(architecture, state);
      for (const int depth : {1, 2, 3, kEveryDepth}) {
        // The tree ends at the first empty line behind its rule.
        const std::vector<std::string> lines = lines_of_text(inspection_text(inspection, depth));
        const auto head =
            std::ranges::find_if(lines, [](const std::string& line) { return line.starts_with("Path "); });
        ASSERT_NE(head, lines.end());
        const std::size_t parameters_end = head->find("Parameters") + std::string("Parameters").size();
        std::int64_t sum = 0;
        for (auto line = head + 2; !line->empty(); ++line) {
          std::string number;
          for (std::size_t i = parameters_end; i-- > 0 && i < line->size() && (*line)[i] != ' ';) {
            if ((*line)[i] != ',') number.insert(number.begin(), (*line)[i]);
          }
          if (!number.empty()) sum += std::stoll(number);
        }
        EXPECT_EQ(sum, totals(inspection.graph).parameters) << architecture << " " << state << " " << depth;
      }
    }
  }
}

TEST(Inspection, DepthClosesModules) {
  const Inspection inspection = inspected("resnet18");
  EXPECT_EQ(line_with(inspection_text(inspection, 1), "  layer1.0"), "");
  EXPECT_NE(line_with(inspection_text(inspection, 1), "layer1 ").find("14 layers"), std::string::npos);
  EXPECT_NE(line_with(inspection_text(inspection, 2), "  layer1.0 "), "");
  EXPECT_EQ(line_with(inspection_text(inspection, 2), "    layer1.0.conv1"), "");
  EXPECT_NE(line_with(inspection_text(inspection, kEveryDepth), "    layer1.0.conv1"), "");
  const nlohmann::json document = to_json(inspection, 2);
  for (const nlohmann::json& module : document.at("modules")) EXPECT_LE(module.at("depth"), 2);
}

TEST(Inspection, FusedSaysWhatBecameOfEveryLayer) {
  const Inspection raw = inspected("resnet50"), fused = inspected("resnet50", "fused");
  EXPECT_EQ(fused.raw_layers, raw.graph.nodes().size());
  std::set<std::string> left;
  for (const Node& node : fused.graph.nodes()) left.insert(node.path);
  std::set<std::string> folded;
  for (const PassResult& pass : fused.passes) {
    for (const Fold& fold : pass.folds) EXPECT_TRUE(folded.insert(fold.layer).second) << fold.layer;
  }
  for (const Node& node : raw.graph.nodes())
    EXPECT_NE(left.contains(node.path), folded.contains(node.path)) << node.path;
  const std::string text = inspection_text(fused, 2);
  EXPECT_NE(text.find("16 x layer*.*.bn1 into layer*.*.conv1"), std::string::npos) << text;
  EXPECT_NE(text.find("12 x layer*.*.act3 into layer*.*.conv3"), std::string::npos) << text;
  EXPECT_NE(text.find(" 4 x layer*.*.downsample.1 into layer*.*.downsample.0"), std::string::npos) << text;
  // Batch norms are no operations any more, but the totals are those of the model.
  EXPECT_EQ(to_json(fused, 1).at("totals").at("macs_and_norms"), 4'111'512'576);
}

TEST(Inspection, StopsAfterAnyPass) {
  const Inspection halfway = inspected("resnet18", "fold_batch_norm");
  EXPECT_EQ(halfway.passes.size(), 2U);
  const std::vector<Group> types = by_type(halfway.graph);
  EXPECT_EQ(std::ranges::find(types, "BatchNorm", &Group::name), types.end());
  EXPECT_NE(std::ranges::find(types, "Activation", &Group::name), types.end());
  EXPECT_THROW(inspected("resnet18", "cooked"), UsageError);
}

TEST(Inspection, TheDocumentNamesInputsAndSums) {
  const nlohmann::json document = to_json(inspected("resnet18", "raw", 4), kEveryDepth);
  std::set<std::string> known{"input"};
  for (const nlohmann::json& layer : document.at("layers")) {
    for (const nlohmann::json& input : layer.at("inputs")) EXPECT_TRUE(known.contains(input)) << layer;
    known.insert(layer.at("path"));
    EXPECT_EQ(layer.at("output")[0], 4);
    EXPECT_FALSE(layer.at("formula").get<std::string>().empty());
  }
  for (const char* field : {"parameters", "macs", "activation_bytes"}) {
    for (const char* groups : {"stages", "types", "layers"}) {
      std::int64_t sum = 0;
      for (const nlohmann::json& group : document.at(groups)) sum += group.at(field).get<std::int64_t>();
      EXPECT_EQ(sum, document.at("totals").at(field)) << field << " of " << groups;
    }
  }
}

TEST(Inspection, ComparesModelsBesideEachOther) {
  const std::string text = comparison_text({inspected("resnet50"), inspected("vit_base_patch16_224")});
  EXPECT_NE(line_with(text, "Parameters ").find("25,557,032"), std::string::npos) << text;
  EXPECT_NE(line_with(text, "Parameters ").find("86,567,656"), std::string::npos) << text;
  EXPECT_NE(line_with(text, "Attention ").find(" 12 (715,327,488)"), std::string::npos) << text;
}

TEST(InspectionDot, HasEveryNodeAndEdgeOnce) {
  const Inspection inspection = inspected("resnet18", "fused");
  const std::string dot = inspection_dot(inspection);
  std::size_t edges = 0, expected = 0;
  for (std::size_t at = dot.find(" -> "); at != std::string::npos; at = dot.find(" -> ", at + 1)) ++edges;
  for (const Node& node : inspection.graph.nodes()) {
    expected += node.inputs.size();
    EXPECT_NE(dot.find("\"" + node.path + "\" [label="), std::string::npos) << node.path;
  }
  EXPECT_EQ(edges, expected);
  EXPECT_EQ(std::ranges::count(dot, '{'), std::ranges::count(dot, '}'));
}

TEST(InspectionDot, QuotesTheNameOfTheModel) {
  Inspection inspection = inspected("resnet18", "fused");
  inspection.card.name = "a \"quoted\" \\name\x1b";
  const std::string dot = inspection_dot(inspection);
  EXPECT_TRUE(dot.starts_with("digraph \"a \\\"quoted\\\" \\\\name\\\\x1b\" {")) << dot.substr(0, 60);
}

TEST(StageMaps, AreOfTheStagesThatStillHavePlaces) {
  EXPECT_EQ(stages_with_maps(build_graph(make_config("resnet18")), 6),
            (std::vector<std::string>{"layer1", "layer2", "layer3", "layer4"}));
  EXPECT_EQ(stages_with_maps(build_graph(make_config("vit_tiny_patch16_224")), 4),
            (std::vector<std::string>{"blocks.0", "blocks.3", "blocks.7", "blocks.11"}));
}

TEST(StageMaps, LeaveOutStagesThatEndUnderAnotherName) {
  const std::vector<std::string> stages = stages_with_maps(build_graph(make_config("efficientnet_lite0")), 20);
  EXPECT_EQ(stages.front(), "blocks.0");
  EXPECT_EQ(stages.size(), 7U);
}

TEST(StageMaps, ShowTheChannelsThatDifferTheMost) {
  RunOptions options;
  options.image_size = 32;
  options.taps = {"blocks.0"};
  Classifier classifier("seeded:vit_tiny_patch16_224@1", options);
  Tensor input = Tensor::filled(classifier.input_shape(1), 0.25F);
  input.values()[0] = 3;  // in the first of 2 x 2 patches
  classifier.run(input.view());
  const std::vector<StageMaps> maps = maps_of(classifier.session(), {"blocks.0"}, 3);
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_EQ(maps[0].shape, (Shape{1, 5, 192}));
  ASSERT_EQ(maps[0].maps.size(), 3U);
  for (const Image& map : maps[0].maps) {
    EXPECT_EQ(map.width, 2);
    EXPECT_EQ(map.height, 2);
    EXPECT_EQ(*std::ranges::min_element(map.pixels), 0);
    EXPECT_EQ(*std::ranges::max_element(map.pixels), 255);
  }
  // The picture comes back from its normalised values.
  const Image picture = picture_of(input.view(), classifier.card().preprocess);
  EXPECT_EQ(picture.width, 32);
  EXPECT_EQ(picture.pixels[0], 255);
  EXPECT_EQ(picture.pixels[3], std::lround((0.25 * 0.5 + 0.5) * 255));
  EXPECT_TRUE(draw_maps("a model", picture, maps).svg.starts_with("<?xml"));
}

TEST(TensorSummaries, CountEveryValueOnce) {
  const std::vector<float> values{-1, -0.5F, 0, 0, 0.5F, 1, 1, 1};
  const TensorSummary summary = summarise_tensor(values);
  EXPECT_EQ(summary.count, 8);
  EXPECT_EQ(summary.zeros, 2);
  EXPECT_DOUBLE_EQ(summary.mean, 0.25);
  EXPECT_NEAR(summary.deviation, std::sqrt(4.0 / 8 + 0.5 / 8 - 0.0625), 1e-12);
  EXPECT_EQ(std::accumulate(summary.bins.begin(), summary.bins.end(), std::int64_t{0}), 8);
  EXPECT_EQ(summary.bins.front(), 1);
  EXPECT_EQ(summary.bins.back(), 3);
  EXPECT_EQ(summary.bins[summary.bins.size() / 2], 2);
  EXPECT_EQ(summarise_tensor(std::vector<float>(5, 2.0F)).bins.front(), 5);
  EXPECT_EQ(summarise_tensor({}).count, 0);
}

}  // namespace
}  // namespace tessera
