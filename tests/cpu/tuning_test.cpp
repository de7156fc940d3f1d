// Choices between ways of computing a layer: that they are measured once, and kept to.

#include "cpu/tuning.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/passes.h"
#include "engine/program.h"
#include "models/registry.h"
#include "tests/layers/guarded_run.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

constexpr int kSize = 64;

ModelConfig small_config() { return make_config("resnet18", {{"image_size", kSize}}); }

Graph fused_graph() {
  Graph graph = build_graph(small_config());
  run_passes(graph, {});
  return graph;
}

// What each node's kernel calls itself when the backend is given these choices.
std::map<std::string, std::string> implementations(const CpuOptions& options) {
  const Graph graph = fused_graph();
  const std::unique_ptr<Backend> backend = make_cpu_backend(options);
  std::map<std::string, std::string> names;
  for (const Node& node : graph.nodes()) {
    std::vector<Tensor> weights;
    for (const WeightSpec& spec : node.weights) weights.push_back(Tensor::filled(spec.shape, 1));
    const std::vector<Shape> in = graph.input_shapes(node);
    const std::vector<ValueType> types(in.size());
    const auto kernel = backend->prepare({node, in, graph.shape(node.output), types, {}, 1}, std::move(weights));
    names[node.path] = kernel->implementation();
  }
  return names;
}

KernelChoices all_set_to(KernelChoices choices, const std::string& way) {
  for (auto& [layer, choice] : choices) choice = way;
  return choices;
}

TEST(Tuning, MeasuresEachShapeOnce) {
  const CpuOptions plain{.isa = "avx2"};  // AMX is another way for every product
  const KernelChoices choices = tune_kernels(fused_graph(), plain, 1);
  // resnet18 has 3x3 convolutions of stride 1 at four sizes: with ReLU, with residual and ReLU, and after each change
  // of size one with neither. Its three 1x1 convolutions can go by Strassen's algorithm.
  EXPECT_EQ(choices.size(), 4U + 4U + 3U + 3U);
  for (const auto& [layer, way] : choices) {
    EXPECT_NE(layer.find("Conv2d"), std::string::npos) << layer;
    EXPECT_TRUE(way == "winograd" || way == "strassen" || way == "direct") << way;
  }
  // What has been measured stands, whatever it is; other threads are another setting.
  for (const char* way : {"direct", "winograd"}) {
    const KernelChoices given = all_set_to(choices, way);
    EXPECT_EQ(tune_kernels(fused_graph(), {.isa = "avx2", .choices = given}, 1), given);
  }
  EXPECT_EQ(tune_kernels(fused_graph(), {.isa = "avx2", .choices = choices}, 2).size(), 2 * choices.size());
  EXPECT_TRUE(tune_kernels(fused_graph(), {.isa = "avx2", .exact = true}, 1).empty());
}

TEST(Tuning, ItsChoicesAreWhatRuns) {
  const KernelChoices choices = tune_kernels(fused_graph(), {}, 1);
  for (const std::string way : {"direct", "winograd"}) {
    const std::string prefix = way == "direct" ? "indirect" : "winograd";
    const auto names = implementations({.choices = all_set_to(choices, way)});
    for (const char* path : {"layer1.0.conv1", "layer1.1.conv2", "layer4.1.conv1"}) {
      EXPECT_TRUE(names.at(path).starts_with(prefix)) << path << ": " << names.at(path);
    }
    EXPECT_TRUE(names.at("fc").starts_with("gemm"));
  }
  // A way that this build does not have leaves the rule's choice.
  EXPECT_EQ(implementations({.choices = all_set_to(choices, "abacus")}), implementations({}));
}

TEST(Tuning, EveryChoiceGivesTheSameLogits) {
  const KernelChoices choices = tune_kernels(fused_graph(), {}, 2);
  const auto logits = [&](const std::string& way) {
    LoadedModel model = seeded_model(small_config(), 7);
    const auto backend = make_cpu_backend({.choices = all_set_to(choices, way)});
    Session session(Program::compile(build_graph(small_config()), std::move(model.weights), *backend, {.threads = 2}));
    Tensor input(Shape{1, kSize, kSize, 3});
    for (std::int64_t i = 0; i < input.shape().count(); ++i) input.data()[i] = static_cast<float>(i % 17) / 8 - 1;
    const ConstView out = session.run(input.view());
    return std::vector<float>(out.values().begin(), out.values().end());
  };
  const std::vector<float> direct = logits("direct"), winograd = logits("winograd");
  ASSERT_EQ(direct.size(), winograd.size());
  for (std::size_t i = 0; i < direct.size(); ++i) EXPECT_NEAR(direct[i], winograd[i], 1e-4 * (1 + std::abs(direct[i])));
  EXPECT_FALSE(same_bits(direct, winograd));  // else the choice changed nothing
}

}  // namespace
}  // namespace tessera
