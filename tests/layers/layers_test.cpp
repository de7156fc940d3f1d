#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "core/error.h"
#include "engine/graph.h"
#include "layers/layer.h"
#include "models/modules.h"
#include "tests/layers/case_file.h"

namespace tessera {
namespace {

constexpr float kSentinel = 12345.678F;
constexpr std::int64_t kGuard = 64;  // floats before and behind a buffer

// Memory with guards around it; the middle is NaN until written.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::int64_t count) : values_(Tensor::filled({count + 2 * kGuard}, kSentinel)), count_(count) {
    std::ranges::fill(middle(), std::numeric_limits<float>::quiet_NaN());
  }
  std::span<float> middle() { return values_.values().subspan(kGuard, static_cast<std::size_t>(count_)); }
  bool untouched_outside() {
    const auto whole = values_.values();
    const auto is_sentinel = [](float v) { return v == kSentinel; };
    return std::ranges::all_of(whole.first(kGuard), is_sentinel) && std::ranges::all_of(whole.last(kGuard), is_sentinel);
  }

 private:
  Tensor values_;
  std::int64_t count_;
};

std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
  return shapes;
}

std::vector<Tensor> clones(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

// Runs a case's layer on the given inputs and says what it wrote.
std::vector<float> run(const LayerCase& entry, std::span<const ConstView> inputs, int threads) {
  std::vector<Shape> in;
  for (const ConstView& input : inputs) in.push_back(input.shape());
  const Shape out = layer_output_shape(entry.layer, in);
  const std::vector<Tensor> prepared = layer_prepare(entry.layer, clones(entry.weights));
  GuardedBuffer output(out.count());
  GuardedBuffer scratch(layer_scratch(entry.layer, in, threads));
  ThreadPool pool(threads);
  layer_forward(entry.layer, {.inputs = inputs,
                              .weights = prepared,
                              .output = {output.middle().data(), out},
                              .scratch = scratch.middle(),
                              .threads = pool});
  EXPECT_TRUE(output.untouched_outside()) << entry.name << " wrote outside its output";
  EXPECT_TRUE(scratch.untouched_outside()) << entry.name << " wrote outside its scratch memory";
  return {output.middle().begin(), output.middle().end()};
}

std::vector<ConstView> views(const std::vector<Tensor>& tensors) {
  std::vector<ConstView> result;
  for (const Tensor& tensor : tensors) result.push_back(tensor.view());
  return result;
}

// float32 sums of K products of values around 1 differ from the exact sum by about sqrt(K) * 2^-24 relative to the sum of
// magnitudes (which is sqrt(K) for weights scaled by 1 / sqrt(K)); the factor 8 covers the largest of some thousand.
double tolerance(const LayerCase& entry, double expected) {
  constexpr double kUnit = 1.0 / (1 << 24);
  return 8 * kUnit * (std::sqrt(static_cast<double>(entry.reduction)) + 4) * (1 + std::abs(expected));
}

class LayerCases : public testing::TestWithParam<std::size_t> {
 protected:
  const LayerCase& entry() const { return layer_cases()[GetParam()]; }
};

TEST_P(LayerCases, MatchPyTorch) {
  const LayerCase& c = entry();
  const std::vector<float> found = run(c, views(c.inputs), 1);
  ASSERT_EQ(found.size(), c.output.size()) << c.name;
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(double{found[i]} - c.output[i]);
    worst = std::max(worst, error / tolerance(c, c.output[i]));
    ASSERT_LE(error, tolerance(c, c.output[i])) << c.name << " at " << i << ": " << found[i] << " for " << c.output[i];
  }
  RecordProperty("worst_share_of_tolerance", std::to_string(worst));
}

TEST_P(LayerCases, DeclareTheReferencesShapes) {
  const LayerCase& c = entry();
  const std::vector<Shape> in = shapes_of(c.inputs);
  EXPECT_EQ(layer_output_shape(c.layer, in), c.output_shape) << c.name;
  std::vector<WeightSpec> declared = layer_weights(c.layer, in);
  // The case names what prepare() takes: a folded norm's tensors follow, and with it a bias appears that has no tensor.
  ASSERT_GE(c.weight_specs.size() + 1, declared.size()) << c.name;
  for (const WeightSpec& spec : declared) {
    const auto found = std::ranges::find(c.weight_specs, spec.name, &WeightSpec::name);
    const auto* conv = std::get_if<Conv2d>(&c.layer);
    if (found == c.weight_specs.end() && spec.name == "bias" && conv != nullptr && conv->folded_batch_norm) continue;
    ASSERT_NE(found, c.weight_specs.end()) << c.name << " lacks " << spec.name;
    EXPECT_EQ(found->shape, spec.shape) << c.name << " " << spec.name;
  }
}

TEST_P(LayerCases, DoNotDependOnThreads) {
  const LayerCase& c = entry();
  const std::vector<float> one = run(c, views(c.inputs), 1);
  for (const int threads : {2, 3}) {
    const std::vector<float> many = run(c, views(c.inputs), threads);
    ASSERT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)), 0) << c.name << ", " << threads;
  }
}

TEST_P(LayerCases, DoNotDependOnThePlaceInTheBatch) {
  const LayerCase& c = entry();
  const std::int64_t batch = c.inputs[0].shape()[0];
  // The pictures three times over, so that each also stands elsewhere.
  std::vector<Tensor> repeated;
  for (const Tensor& input : c.inputs) {
    Shape shape = input.shape();
    shape[0] *= 3;
    Tensor copy(shape);
    for (int i = 0; i < 3; ++i) std::ranges::copy(input.values(), copy.data() + i * input.shape().count());
    repeated.push_back(std::move(copy));
  }
  const std::vector<float> alone = run(c, views(c.inputs), 2);
  const std::vector<float> found = run(c, views(repeated), 2);
  ASSERT_EQ(found.size(), 3 * alone.size()) << c.name << " batch " << batch;
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(std::memcmp(alone.data(), found.data() + i * alone.size(), alone.size() * sizeof(float)), 0) << c.name;
  }
}

TEST_P(LayerCases, MayOverwriteTheirInputWhereTheySaySo) {
  const LayerCase& c = entry();
  if (!layer_may_overwrite_input(c.layer)) return;
  const std::vector<float> apart = run(c, views(c.inputs), 1);
  std::vector<Tensor> inputs = clones(c.inputs);
  const std::vector<Tensor> prepared = layer_prepare(c.layer, clones(c.weights));
  Tensor scratch(Shape{layer_scratch(c.layer, shapes_of(inputs), 2)});
  ThreadPool pool(2);
  const std::vector<ConstView> in = views(inputs);
  layer_forward(c.layer, {in, prepared, {inputs[0].data(), c.output_shape}, scratch.values(), pool});
  EXPECT_EQ(std::memcmp(apart.data(), inputs[0].data(), apart.size() * sizeof(float)), 0) << c.name;
}

INSTANTIATE_TEST_SUITE_P(All, LayerCases, testing::Range<std::size_t>(0, layer_cases().size()));

TEST(Layers, AllHaveCases) {
  std::set<std::string_view> covered;
  for (const LayerCase& entry : layer_cases()) covered.insert(layer_name(entry.layer));
  EXPECT_EQ(covered.size(), std::variant_size_v<Layer>);
}

TEST(Layers, SqueezeExciteMatchesTimm) {
  const LayerCase c = squeeze_excite_case();
  Graph graph;
  const Value x = graph.input(c.inputs[0].shape());
  graph.set_output(squeeze_excite({graph, "se"}, x, 4, ActivationKind::kRelu));
  // Runs the graph node by node on memory of its own.
  std::vector<Tensor> values(graph.value_count());
  values[static_cast<std::size_t>(graph.input_id())] = c.inputs[0].clone();
  ThreadPool pool(1);
  for (const Node& node : graph.nodes()) {
    std::vector<Tensor> weights;
    for (const WeightSpec& spec : node.weights) {
      const auto found = std::ranges::find(c.weight_specs, spec.name.substr(3), &WeightSpec::name);
      ASSERT_NE(found, c.weight_specs.end()) << spec.name;
      weights.push_back(c.weights[static_cast<std::size_t>(found - c.weight_specs.begin())].clone());
    }
    const std::vector<Tensor> prepared = layer_prepare(node.layer, std::move(weights));
    std::vector<ConstView> in;
    for (const ValueId id : node.inputs) in.push_back(values[static_cast<std::size_t>(id)].view());
    Tensor& out = values[static_cast<std::size_t>(node.output)] = Tensor(graph.shape(node.output));
    Tensor scratch(Shape{layer_scratch(node.layer, graph.input_shapes(node), 1)});
    layer_forward(node.layer, {in, prepared, out.view(), scratch.values(), pool});
  }
  const Tensor& found = values[static_cast<std::size_t>(graph.output_id())];
  ASSERT_EQ(found.shape(), c.output_shape);
  for (std::size_t i = 0; i < c.output.size(); ++i) ASSERT_NEAR(found.values()[i], c.output[i], 2e-6) << i;
}

struct BadShape {
  Layer layer;
  std::vector<Shape> in;
};

TEST(Layers, RefuseShapesTheyCannotTake) {
  const std::vector<BadShape> cases{
      {Conv2d{.out_channels = 4, .groups = 3}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .kernel = 7}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .stride = 0}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4}, {{1, 4, 4}}},
      {Conv2d{.out_channels = 4, .residual = true}, {{1, 4, 4, 4}, {1, 4, 4, 5}}},
      {Linear{.out_features = 0}, {{1, 4}}},
      {Linear{.out_features = 3}, {{4}}},
      {BatchNorm{}, {{4}}},
      {LayerNorm{}, {{4}}},
      {Attention{.heads = 5}, {{1, 2, 48}}},
      {PatchEmbed{.patch = 16, .width = 8}, {{1, 17, 16, 3}}},
      {TokenEmbed{.grid = 3}, {{1, 8, 4}}},
      {TokenPool{.kind = TokenPoolKind::kMean, .skip = 4}, {{1, 4, 8}}},
      {Pool2d{.kernel = 3, .padding = 2}, {{1, 8, 8, 1}}},
      {Pool2d{.kernel = 9}, {{1, 8, 8, 1}}},
      {GlobalAveragePool{}, {{1, 8}}},
      {Add{}, {{1, 4}, {1, 5}}},
      {Multiply{}, {{1, 4, 4, 2}, {1, 1, 1, 3}}},
      {Concat{}, {{1, 4, 4}, {1, 5, 4}}},
      {Flatten{}, {{4}}},
      {Softmax{}, {}},
      {Activation{}, {}},
      {LayerScale{}, {{4}}},
      {Dropout{}, {}},
  };
  std::set<std::string_view> refused;
  for (const BadShape& bad : cases) {
    try {
      layer_output_shape(bad.layer, bad.in);
      ADD_FAILURE() << layer_name(bad.layer) << " took a bad shape";
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()).find(layer_name(bad.layer)), 0U) << error.what();
      refused.insert(layer_name(bad.layer));
    }
  }
  EXPECT_EQ(refused.size(), std::variant_size_v<Layer>);
}

TEST(Layers, CountMultiplyAdds) {
  const Shape in{1, 8, 8, 16};
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 32, .kernel = 3, .padding = 1}, std::vector{in}, {1, 8, 8, 32}),
            8 * 8 * 32 * 9 * 16);
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 16, .kernel = 3, .padding = 1, .groups = 16}, std::vector{in}, in),
            8 * 8 * 16 * 9);
  EXPECT_EQ(layer_macs(Linear{.out_features = 10}, std::vector{Shape{2, 5, 4}}, {2, 5, 10}), 2 * 5 * 4 * 10);
  EXPECT_EQ(layer_macs(Attention{.heads = 2}, std::vector{Shape{1, 7, 24}}, {1, 7, 8}), 2 * 7 * 7 * 8);
  EXPECT_EQ(layer_macs(Add{}, std::vector{in, in}, in), 0);
}

}  // namespace
}  // namespace tessera
