// Every layer against PyTorch's values, and what every layer's forward() promises, over all cases of the file.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "layers/layer.h"
#include "models/modules.h"
#include "tests/layers/case_file.h"
#include "tests/layers/guarded_run.h"

namespace tessera {
namespace {

// A float32 sum of K products rounds K times. With values of about 1 and weights of about 1 / sqrt(K), as the cases
// have them, the errors add up to about sqrt(K) * 2^-24 when all roundings of the sum hit its largest part, and to far
// less as a rule; 2 covers the worst of some hundred thousand values (two thirds of it are used), and 4 stands for the
// few roundings behind the sum.
double tolerance(const LayerCase& entry, double expected) {
  constexpr double kUnit = 1.0 / (1 << 24);
  return 2 * kUnit * (std::sqrt(static_cast<double>(entry.reduction)) + 4) * (1 + std::abs(expected));
}

std::vector<std::string> layers_with_cases() {
  std::set<std::string> names;
  for (const LayerCase& entry : layer_cases()) names.emplace(layer_name(entry.layer));
  return {names.begin(), names.end()};
}

// One test for each kind of layer, over all of its cases.
class LayerCases : public testing::TestWithParam<std::string> {
 protected:
  template <class Check>
  void for_each_case(const Check& check) const {
    for (const LayerCase& entry : layer_cases()) {
      if (layer_name(entry.layer) != GetParam()) continue;
      SCOPED_TRACE(entry.name);
      check(entry);
    }
  }
};

TEST_P(LayerCases, MatchPyTorch) {
  double worst = 0;
  for_each_case([&](const LayerCase& c) {
    const std::vector<float> found = run_layer(c.layer, c.inputs, c.weights, 1);
    const std::span<const float> expected = c.output.values();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double error = std::abs(double{found[i]} - double{expected[i]});
      worst = std::max(worst, error / tolerance(c, double{expected[i]}));
      ASSERT_LE(error, tolerance(c, double{expected[i]})) << "at " << i << ": " << found[i] << " for " << expected[i];
    }
  });
  RecordProperty("worst_share_of_tolerance", std::to_string(worst));
}

TEST_P(LayerCases, DeclareTheReferencesShapes) {
  for_each_case([](const LayerCase& c) {
    const std::vector<Shape> in = shapes_of(c.inputs);
    EXPECT_EQ(layer_output_shape(c.layer, in), c.output.shape());
    const std::vector<WeightSpec> declared = layer_weights(c.layer, in);
    // A convolution with a folded norm declares a bias even where the reference had none before the norm.
    const auto* conv = std::get_if<Conv2d>(&c.layer);
    const bool bias_of_norm = conv != nullptr && conv->folded_batch_norm && c.weight_specs.size() % 2 == 1;
    const std::size_t count = declared.size() - (bias_of_norm ? 1 : 0);
    ASSERT_LE(count, c.weight_specs.size());
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(declared[i], c.weight_specs[i]) << declared[i].name;
  });
}

TEST_P(LayerCases, DoNotDependOnThreads) {
  for_each_case([](const LayerCase& c) {
    const std::vector<float> one = run_layer(c.layer, c.inputs, c.weights, 1);
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(same_bits(one, run_layer(c.layer, c.inputs, c.weights, threads))) << threads << " threads";
    }
  });
}

TEST_P(LayerCases, DoNotDependOnThePlaceInTheBatch) {
  for_each_case([](const LayerCase& c) {
    // The pictures three times over, so that each also stands elsewhere.
    std::vector<Tensor> repeated;
    for (const Tensor& input : c.inputs) {
      Shape shape = input.shape();
      shape[0] *= 3;
      Tensor copy(shape);
      for (int i = 0; i < 3; ++i) std::ranges::copy(input.values(), copy.data() + i * input.shape().count());
      repeated.push_back(std::move(copy));
    }
    const std::vector<float> alone = run_layer(c.layer, c.inputs, c.weights, 2);
    const std::vector<float> found = run_layer(c.layer, repeated, c.weights, 2);
    ASSERT_EQ(found.size(), 3 * alone.size());
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(same_bits(alone, std::span(found).subspan(i * alone.size(), alone.size()))) << "copy " << i;
    }
  });
}

TEST_P(LayerCases, DoNotDependOnWhereTheirMemoryLies) {
  for_each_case([](const LayerCase& c) {
    const std::vector<float> aligned = run_layer(c.layer, c.inputs, c.weights, 1);
    for (const std::int64_t offset : {1, 3, 4, 7, 8, 15}) {
      EXPECT_TRUE(same_bits(aligned, run_layer(c.layer, c.inputs, c.weights, 1, offset))) << "offset " << offset;
    }
  });
}

TEST_P(LayerCases, MayOverwriteTheirInputWhereTheySaySo) {
  for_each_case([](const LayerCase& c) {
    if (!layer_may_overwrite_input(c.layer)) return;
    const std::vector<float> apart = run_layer(c.layer, c.inputs, c.weights, 1);
    std::vector<Tensor> inputs = clones(c.inputs);
    const std::vector<Tensor> prepared = layer_prepare(c.layer, clones(c.weights));
    Tensor scratch(Shape{layer_scratch(c.layer, shapes_of(inputs), 2)});
    ThreadPool pool(2);
    std::vector<ConstView> views;
    for (const Tensor& input : inputs) views.push_back(input.view());
    layer_forward(c.layer, {views, prepared, {inputs[0].data(), c.output.shape()}, scratch.values(), pool});
    EXPECT_TRUE(same_bits(apart, inputs[0].values()));
  });
}

INSTANTIATE_TEST_SUITE_P(All, LayerCases, testing::ValuesIn(layers_with_cases()),
                         [](const auto& entry) { return entry.param; });

TEST(Layers, AllHaveCases) { EXPECT_EQ(layers_with_cases().size(), std::variant_size_v<Layer>); }

TEST(Layers, SqueezeExciteMatchesTimm) {
  ASSERT_EQ(squeeze_excite_cases().size(), 2U);
  for (const auto& [c, reduced, inner] : squeeze_excite_cases()) {
    SCOPED_TRACE(c.name);
    Graph graph;
    const Value x = graph.input(c.inputs[0].shape());
    graph.set_output(squeeze_excite({graph, "se"}, x, reduced, inner));
    // Runs the graph node by node on memory of its own.
    std::vector<Tensor> values(graph.value_count());
    values[static_cast<std::size_t>(graph.input_id())] = c.inputs[0].clone();
    for (const Node& node : graph.nodes()) {
      std::vector<Tensor> weights;
      for (const WeightSpec& spec : node.weights) {
        const auto found = std::ranges::find(c.weight_specs, spec.name.substr(3), &WeightSpec::name);
        ASSERT_NE(found, c.weight_specs.end()) << spec.name;
        weights.push_back(c.weights[static_cast<std::size_t>(found - c.weight_specs.begin())].clone());
      }
      std::vector<Tensor> in;
      for (const ValueId id : node.inputs) in.push_back(values[static_cast<std::size_t>(id)].clone());
      values[static_cast<std::size_t>(node.output)] =
          Tensor::from(run_layer(node.layer, in, weights, 1), graph.shape(node.output));
    }
    const Tensor& found = values[static_cast<std::size_t>(graph.output_id())];
    ASSERT_EQ(found.shape(), c.output.shape());
    for (std::size_t i = 0; i < c.output.values().size(); ++i) {
      ASSERT_NEAR(found.values()[i], c.output.values()[i], 2e-6) << i;
    }
  }
}

}  // namespace
}  // namespace tessera
