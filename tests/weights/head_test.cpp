#include "weights/head.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

LoadedModel model_of(const char* architecture, const nlohmann::json& parameters) {
  return seeded_model(make_config(architecture, parameters), 1, 1);
}

struct Row {
  const char* architecture;
  nlohmann::json parameters;
  std::string head;  // "" where there is none
  std::int64_t width;
};

std::vector<Row> rows() {
  return {{"resnet18", {}, "fc", 512},
          {"resnet50", {{"depths", {1, 1, 1, 1}}}, "fc", 2048},
          {"vit_tiny_patch16_224", {{"depth", 1}}, "head", 192},
          {"vit_tiny_patch16_224", {{"depth", 1}, {"pool", "avg"}}, "head", 192},
          {"vit_tiny_patch16_224", {{"depth", 1}, {"head", "linear_cls_mean"}}, "head", 384},
          {"vit_small_patch14_dinov2", {{"depth", 1}}, "", 384},
          {"efficientnet_lite0", {}, "classifier", 1280}};
}

TEST(Head, IsTheLinearLayerOnTheFeatures) {
  for (const Row& row : rows()) {
    const nlohmann::json parameters = row.parameters.is_null() ? nlohmann::json::object() : row.parameters;
    const ModelConfig config = make_config(row.architecture, parameters);
    const std::vector<WeightSpec> head = head_weights(config);
    EXPECT_EQ(feature_width(config), row.width) << row.architecture;
    if (row.head.empty()) {
      EXPECT_TRUE(head.empty()) << row.architecture;
      continue;
    }
    ASSERT_EQ(head.size(), 2U) << row.architecture;
    EXPECT_EQ(head[0], (WeightSpec{row.head + ".weight", {1000, row.width}}));
    EXPECT_EQ(head[1], (WeightSpec{row.head + ".bias", {1000}}));
  }
}

TEST(Head, IsReplacedByOneOfOtherClassesAndNothingElseChanges) {
  for (const Row& row : rows()) {
    const nlohmann::json parameters = row.parameters.is_null() ? nlohmann::json::object() : row.parameters;
    const LoadedModel before = model_of(row.architecture, parameters);
    LoadedModel model = model_of(row.architecture, parameters);
    remove_head(model);
    EXPECT_EQ(class_count(model.card.config), 0);
    EXPECT_EQ(model.card.labels.size(), 0U);
    check_weights(model.weights, build_graph(model.card.config).weight_specs(), row.architecture);

    std::vector<float> weight(static_cast<std::size_t>(3 * row.width));
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i);
    put_head(model, weight, std::vector<float>{7, 8, 9}, LabelSet::custom({"a", "b", "c"}));
    const Graph graph = build_graph(model.card.config);
    check_weights(model.weights, graph.weight_specs(), row.architecture);
    EXPECT_EQ(class_count(model.card.config), 3);
    EXPECT_EQ(graph.shape(graph.output_id())[-1], 3);
    EXPECT_EQ(model.card.labels.name(2), "c");
    const std::vector<WeightSpec> head = head_weights(model.card.config);
    EXPECT_TRUE(std::ranges::equal(model.weights.at(head[0].name).values(), weight));
    EXPECT_EQ(model.weights.at(head[1].name).values()[1], 8);
    for (const WeightSpec& spec : build_graph(with_classes(before.card.config, 0)).weight_specs()) {
      EXPECT_TRUE(std::ranges::equal(model.weights.at(spec.name).values(), before.weights.at(spec.name).values()));
    }
  }
}

TEST(Head, ForgetsTheCalibratedRangeOfTheOldOne) {
  LoadedModel model = model_of("resnet18", nlohmann::json::object());
  model.card.calibration.ranges = {{"fc", {-1, 1}}, {"global_pool", {0, 3}}};
  remove_head(model);
  EXPECT_FALSE(model.card.calibration.ranges.contains("fc"));
  EXPECT_TRUE(model.card.calibration.ranges.contains("global_pool"));
}

TEST(Head, OfAnotherSizeIsRefused) {
  LoadedModel model = model_of("resnet18", nlohmann::json::object());
  const std::vector<float> weight(2 * 512), bias(2);
  EXPECT_THROW(put_head(model, weight, bias, LabelSet::custom({"a", "b"})), InternalError) << "it has one already";
  remove_head(model);
  EXPECT_THROW(put_head(model, weight, bias, LabelSet::custom({"a", "b", "c"})), InternalError);
  EXPECT_NO_THROW(put_head(model, weight, bias, LabelSet::custom({"a", "b"})));
}

}  // namespace
}  // namespace tessera
