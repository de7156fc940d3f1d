#include "models/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "engine/memory_plan.h"
#include "engine/passes.h"

namespace tessera {
namespace {

class Architectures : public testing::TestWithParam<std::size_t> {
 protected:
  const Architecture& row() const { return architectures()[GetParam()]; }
};

// Counted on timm's modules, without weights, by tests/reference/timm_table.py.
TEST_P(Architectures, HaveTimmsParametersMultiplyAddsAndTensors) {
  const Graph graph = build_graph(make_config(row().name));
  const Cost sum = totals(graph);
  EXPECT_EQ(sum.parameters, row().parameter_count) << row().name;
  EXPECT_EQ(sum.macs, row().macs) << row().name;
  EXPECT_EQ(digest_of_tensors(graph), row().tensors) << row().name << ": names or shapes of tensors are not timm's";
}

TEST_P(Architectures, KeepTheirMultiplyAddsUnderThePasses) {
  Graph graph = build_graph(make_config(row().name));
  const std::int64_t before = totals(graph).macs;
  const std::size_t nodes = graph.nodes().size();
  run_passes(graph, {});
  EXPECT_EQ(totals(graph).macs, before);
  EXPECT_LT(graph.nodes().size(), nodes);
  for (const Node& node : graph.nodes()) {
    EXPECT_FALSE(std::holds_alternative<BatchNorm>(node.layer)) << node.path;
    EXPECT_FALSE(std::holds_alternative<LayerScale>(node.layer)) << node.path;
    EXPECT_FALSE(std::holds_alternative<Activation>(node.layer)) << node.path;
    EXPECT_FALSE(std::holds_alternative<Dropout>(node.layer)) << node.path;
  }
  // Running the passes again finds nothing to do.
  const std::size_t fused = graph.nodes().size();
  run_passes(graph, {});
  EXPECT_EQ(graph.nodes().size(), fused);
}

TEST_P(Architectures, TakeThePicturesThatTheirPreprocessingGives) {
  EXPECT_EQ(row().preprocess.output_size(), picture_sides(make_config(row().name)));
}

TEST_P(Architectures, NameEveryTensorOnce) {
  std::set<std::string> names;
  for (const WeightSpec& spec : build_graph(make_config(row().name)).weight_specs()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Architectures, testing::Range<std::size_t>(0, architectures().size()),
                         [](const auto& tested) { return architectures()[tested.param].name; });

// tests/reference/fvcore_counts.py prints these; timm's table of results has them rounded.
TEST(Registry, CountsAsFvcoreDoes) {
  const auto fvcore = [](const char* name) {
    const Cost sum = totals(build_graph(make_config(name)));
    return sum.macs + sum.norm_operations;
  };
  EXPECT_EQ(fvcore("resnet50"), 4'111'512'576);
  EXPECT_EQ(fvcore("vit_base_patch16_224"), 17'582'740'224);
}

TEST(Registry, SuggestsTheNearestName) {
  try {
    find_architecture("resnet5");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("resnet50"), std::string::npos) << error.what();
  }
}

TEST(Registry, RefusesUnknownAndImpossibleParameters) {
  EXPECT_THROW(make_config("resnet50", {{"patch", 3}}), UsageError);
  EXPECT_THROW(build_graph(make_config("resnet50", {{"classes", "many"}})), UsageError);
  EXPECT_THROW(build_graph(make_config("resnet50", {{"image_size", {64, 64, 3}}})), UsageError);
  EXPECT_THROW(build_graph(make_config("resnet50", {{"image_size", 0}})), UsageError);
  EXPECT_THROW(make_config("resnet50", {{"norm_eps", "small"}}), UsageError);
  EXPECT_THROW(build_graph(make_config("vit_base_patch16_224", {{"image_size", 225}})), UsageError);
  EXPECT_THROW(build_graph(make_config("vit_base_patch16_224", {{"heads", 7}})), UsageError);
  EXPECT_THROW(build_graph(make_config("vit_base_patch16_224", {{"pool", "max"}})), UsageError);
  EXPECT_THROW(build_graph(make_config("vit_base_patch16_224", {{"head", "round"}})), UsageError);
  EXPECT_THROW(build_graph(make_config("resnet50"), 0), UsageError);
}

TEST(Registry, GivesAHeadOnClassTokenAndPatchMean) {
  const ModelConfig config =
      make_config("vit_small_patch14_dinov2", {{"image_size", 224}, {"head", "linear_cls_mean"}, {"classes", 10}});
  const Graph graph = build_graph(config, 2);
  EXPECT_EQ(graph.shape(graph.output_id()), (Shape{2, 10}));
  const auto specs = graph.weight_specs();
  EXPECT_NE(std::ranges::find(specs, WeightSpec{"head.weight", {10, 768}}), specs.end());
  EXPECT_EQ(class_count(config), 10);
}

}  // namespace
}  // namespace tessera
