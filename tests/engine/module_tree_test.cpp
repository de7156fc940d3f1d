#include "engine/module_tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/passes.h"
#include "models/modules.h"

namespace tessera {
namespace {

// Two pictures through a stem, a list of two blocks with a shortcut each, and a head.
Graph small_network() {
  Graph graph;
  const Scope s{graph, ""};
  Value x =
      conv2d(s / "stem", graph.input({2, 8, 8, 3}), {.out_channels = 4, .kernel = 3, .padding = 1, .bias = false});
  x = relu(s / "bn" / "act", batch_norm(s / "bn", x, 1e-5F));
  for (int i = 0; i < 2; ++i) {
    const Scope block = s / "blocks" / i;
    const Value y = dropout(block / "drop", conv2d(block / "conv", x, {.out_channels = 4}));
    x = add(block / "add", y, x);
  }
  graph.set_output(linear(s / "head", global_average_pool(s / "pool", x), 5));
  return graph;
}

const Module& child(const Module& module, std::string_view name) {
  const auto found = std::ranges::find(module.children, name, &Module::name);
  EXPECT_NE(found, module.children.end()) << name;
  return *found;
}

TEST(ModuleTree, AModuleIsTheSumOfItsLayers) {
  const Graph graph = small_network();
  const Module root = module_tree(graph);
  std::vector<std::string> top;
  for (const Module& module : root.children) top.push_back(module.path);
  EXPECT_EQ(top, (std::vector<std::string>{"stem", "bn", "blocks", "pool", "head"}));
  EXPECT_EQ(root.layers, graph.nodes().size());
  EXPECT_EQ(root.cost, totals(graph));

  const Module& first = child(child(root, "blocks"), "0");
  EXPECT_EQ(first.path, "blocks.0");
  EXPECT_EQ(first.depth, 2);
  EXPECT_EQ(first.node, nullptr);
  EXPECT_EQ(first.layers, 3U);
  EXPECT_EQ(graph.shape(first.output), (Shape{2, 8, 8, 4}));
  // A 1x1 convolution of 4 channels to 4 with bias, on 64 pixels.
  EXPECT_EQ(first.cost, (Cost{.parameters = 4 * 4 + 4, .macs = 64 * 4 * 4, .activations = 3 * 64 * 4}));
}

TEST(ModuleTree, ALayerMayHaveOthersBelowIt) {
  const Graph graph = small_network();
  const Module root = module_tree(graph);
  const Module& norm = child(root, "bn");
  ASSERT_NE(norm.node, nullptr);
  EXPECT_EQ(layer_name(norm.node->layer), "BatchNorm");
  EXPECT_EQ(norm.layers, 2U);
  EXPECT_EQ(layer_name(child(norm, "act").node->layer), "Activation");
}

TEST(ModuleTree, CostsAreThoseOfOnePicture) {
  Graph graph = small_network();
  const Cost of_two = totals(graph);
  graph.set_batch(1);
  EXPECT_EQ(totals(graph), of_two);
  // The batch norm, two operations for each of 8 x 8 x 4 values, and the mean that reads as many.
  EXPECT_EQ(of_two.norm_operations, 2 * 256 + 256);
  EXPECT_EQ(of_two.activation_bytes(), 4 * of_two.activations);
}

TEST(ModuleTree, StagesAreFirstPartsAndTheNumbersOfLists) {
  EXPECT_EQ(stage_of("conv1"), "conv1");
  EXPECT_EQ(stage_of("layer1.0.conv1"), "layer1");
  EXPECT_EQ(stage_of("blocks.11.attn.qkv"), "blocks.11");
  EXPECT_EQ(stage_of("blocks.3"), "blocks.3");
  EXPECT_EQ(stage_of("patch_embed.proj"), "patch_embed");
  EXPECT_EQ(stage_of("bn1.act"), "bn1");
}

TEST(ModuleTree, GroupsAddUpToTheWhole) {
  const Graph graph = small_network();
  for (const std::vector<Group>& groups : {by_stage(graph), by_type(graph)}) {
    Cost sum;
    std::size_t layers = 0;
    for (const Group& group : groups) {
      sum += group.cost;
      layers += group.layers;
    }
    EXPECT_EQ(sum, totals(graph));
    EXPECT_EQ(layers, graph.nodes().size());
  }
  EXPECT_EQ(by_stage(graph)[2].name, "blocks.0");
  const auto types = by_type(graph);
  const auto adds = std::ranges::find(types, "Add", &Group::name);
  ASSERT_NE(adds, types.end());
  EXPECT_EQ(adds->layers, 2U);
}

std::vector<std::pair<std::string, std::string>> folds_of(const PassResult& pass) {
  std::vector<std::pair<std::string, std::string>> folds;
  for (const Fold& fold : pass.folds) folds.emplace_back(fold.layer, fold.into);
  return folds;
}

TEST(PassResults, SayWhichLayersBecamePartOfWhich) {
  Graph graph = small_network();
  const std::vector<PassResult> results = run_passes(graph, {});
  using Folds = std::vector<std::pair<std::string, std::string>>;
  ASSERT_EQ(results.size(), passes().size());
  EXPECT_EQ(folds_of(results[0]), (Folds{{"blocks.0.drop", ""}, {"blocks.1.drop", ""}}));
  EXPECT_EQ(folds_of(results[1]), (Folds{{"bn", "stem"}}));
  EXPECT_EQ(folds_of(results[2]), Folds{});
  EXPECT_EQ(folds_of(results[3]), (Folds{{"blocks.0.add", "blocks.0.conv"}, {"blocks.1.add", "blocks.1.conv"}}));
  EXPECT_EQ(folds_of(results[4]), (Folds{{"bn.act", "stem"}}));
  for (const PassResult& result : results) {
    EXPECT_EQ(result.nodes_before - result.nodes_after, result.folds.size()) << result.name;
    EXPECT_FALSE(result.what.empty());
  }
}

TEST(ModuleTree, SaysStageAndBlockOfAPath) {
  for (const auto& [path, stage, block] : {std::tuple{"layer1.0.conv1", "layer1", "layer1.0"},
                                           {"layer3.11.downsample.0", "layer3", "layer3.11"},
                                           {"blocks.3.attn.qkv", "blocks.3", "blocks.3"},
                                           {"blocks.2.1.conv_pw", "blocks.2", "blocks.2.1"},
                                           {"blocks.2.1.bn1.act", "blocks.2", "blocks.2.1"},
                                           {"patch_embed.proj", "patch_embed", "patch_embed"},
                                           {"conv1", "conv1", "conv1"},
                                           {"bn1.act", "bn1", "bn1"},
                                           {"fc", "fc", "fc"},
                                           {"", "", ""}}) {
    EXPECT_EQ(stage_of(path), stage) << path;
    EXPECT_EQ(block_of(path), block) << path;
  }
}

}  // namespace
}  // namespace tessera
