// What layers refuse, count and let through, without PyTorch's values.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "layers/examples.h"
#include "layers/layer_json.h"
#include "tests/layers/guarded_run.h"

namespace tessera {
namespace {

std::string said(const Layer& layer) { return std::string(layer_name(layer)) + " " + layer_attributes(layer); }

TEST(Layers, RefuseShapesTheyCannotTake) {
  std::set<std::string_view> refused;
  for (const LayerRefusal& refusal : refused_examples()) {
    try {
      const Shape out = layer_output_shape(refusal.layer, refusal.in);
      ADD_FAILURE() << said(refusal.layer) << " gave " << to_string(out);
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find(layer_name(refusal.layer)), 0U) << message;
      EXPECT_NE(message.find(refusal.because), std::string::npos) << message << " does not say " << refusal.because;
      for (const Shape& shape : refusal.in) EXPECT_NE(message.find(to_string(shape)), std::string::npos) << message;
      refused.insert(layer_name(refusal.layer));
    }
  }
  EXPECT_EQ(refused.size(), std::variant_size_v<Layer>);
}

// Examples, and layers drawn at random, of each type.
std::vector<LayerExample> layers_of_all_types() {
  std::vector<LayerExample> all = good_examples();
  Draw draw(5);
  for (std::size_t kind = 0; kind < std::variant_size_v<Layer>; ++kind) {
    for (int i = 0; i < 20; ++i) all.push_back(draw_layer(kind, draw));
  }
  return all;
}

TEST(Layers, TakeTheirExamples) {
  Draw draw(1);
  std::set<std::string_view> names;
  for (const LayerExample& example : layers_of_all_types()) {
    SCOPED_TRACE(said(example.layer));
    names.insert(layer_name(example.layer));
    const std::vector<Tensor> inputs = draw_inputs(example.in, draw);
    const std::vector<Tensor> weights = draw_weights(example.layer, example.in, draw);
    const std::vector<float> y = run_layer(example.layer, inputs, weights, 2);
    EXPECT_TRUE(std::ranges::all_of(y, [](float value) { return std::isfinite(value); }));
    EXPECT_GE(layer_reduction(example.layer, example.in), 1);
  }
  EXPECT_EQ(names.size(), std::variant_size_v<Layer>);
}

TEST(Layers, AreTheSameAfterGoingThroughJson) {
  for (const LayerExample& example : layers_of_all_types()) {
    const nlohmann::json json = layer_json(example.layer);
    EXPECT_EQ(layer_from_json(layer_name(example.layer), json), example.layer) << json;
  }
}

TEST(Layers, RefuseJsonThatIsNotTheirs) {
  EXPECT_EQ(layer_from_json("Conv2d", {{"kernel", {3, 5}}}), Layer(Conv2d{.kernel = {3, 5}}));
  EXPECT_THROW(layer_from_json("Conv3d", nlohmann::json::object()), UsageError);
  EXPECT_THROW(layer_from_json("Conv2d", {{"kernels", {3, 5}}}), UsageError);
  EXPECT_THROW(layer_from_json("Conv2d", {{"kernel", 3}}), UsageError);
  EXPECT_THROW(layer_from_json("Activation", {{"kind", "swish-ish"}}), UsageError);
}

// What `inspect` and documentation say, word for word.
TEST(Layers, SayTheirAttributes) {
  Conv2d conv{.out_channels = 64, .kernel = {3, 5}, .stride = 2, .padding = {1, 2}, .dilation = 2, .groups = 4};
  EXPECT_EQ(layer_attributes(conv), "64, kernel 3x5, stride 2, padding 1x2, dilation 2, groups 4");
  conv.padding_same = true;
  conv.folded_batch_norm = 1e-5F;
  conv.residual = true;
  conv.activation = ActivationKind::kHardSwish;
  EXPECT_EQ(layer_attributes(conv),
            "64, kernel 3x5, stride 2, padding same, dilation 2, groups 4, batch norm folded, + residual, hard_swish");
  EXPECT_EQ(layer_attributes(Conv2d{.out_channels = 8}), "8, kernel 1");
  EXPECT_EQ(layer_attributes(Linear{.out_features = 10}), "10");
  EXPECT_EQ(layer_attributes(Linear{.out_features = 10,
                                    .bias = false,
                                    .residual = true,
                                    .activation = ActivationKind::kGelu,
                                    .folded_layer_scale = true}),
            "10, no bias, layer scale folded, + residual, gelu");
  EXPECT_EQ(layer_attributes(BatchNorm{}), "epsilon 1e-05");
  EXPECT_EQ(layer_attributes(LayerNorm{.epsilon = 1e-12F}), "epsilon 1e-12");
  EXPECT_EQ(layer_attributes(Attention{.heads = 3}), "3 heads");
  EXPECT_EQ(layer_attributes(PatchEmbed{.patch = 14, .width = 384}), "384, patch 14");
  EXPECT_EQ(layer_attributes(Pool2d{.kernel = 3, .padding = 1}), "max, kernel 3, stride 2, padding 1");
  EXPECT_EQ(layer_attributes(Pool2d{.kind = PoolKind::kAverage}), "average, kernel 2, stride 2");
  EXPECT_EQ(layer_attributes(TokenPool{}), "class token");
  EXPECT_EQ(layer_attributes(TokenPool{.kind = TokenPoolKind::kMean, .skip = 5}), "mean of tokens from 5");
  EXPECT_EQ(layer_attributes(TokenEmbed{.stored_grid = 14, .grid = 14}), "class token, grid 14");
  EXPECT_EQ(
      layer_attributes(TokenEmbed{.class_token = false, .registers = 4, .stored_grid = {37, 36}, .grid = {14, 16}}),
      "no class token, 4 registers, grid 14x16 (resized from 37x36)");
  EXPECT_EQ(layer_attributes(InvertedResidual{.expand = Conv2d{.out_channels = 4},
                                              .depthwise = {.out_channels = 4, .kernel = 3, .groups = 4},
                                              .project = {.out_channels = 2}}),
            "4, kernel 1; 4, kernel 3, groups 4; 2, kernel 1");
  EXPECT_EQ(layer_attributes(Add{}), "");
}

TEST(Layers, CountMultiplyAdds) {
  const std::vector<Shape> in{{1, 8, 8, 16}};
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 32, .kernel = 3, .padding = 1}, in, {1, 8, 8, 32}), 8 * 8 * 32 * 9 * 16);
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 32, .kernel = {1, 3}, .stride = 2, .padding = {0, 1}}, in, {1, 4, 4, 32}),
            4 * 4 * 32 * 3 * 16);
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 16, .kernel = 3, .padding = 1, .groups = 16}, in, in[0]), 8 * 8 * 16 * 9);
  EXPECT_EQ(layer_macs(Conv2d{.out_channels = 32, .kernel = 1, .groups = 4}, in, {1, 8, 8, 32}), 8 * 8 * 32 * 4);
  EXPECT_EQ(layer_macs(PatchEmbed{.patch = 4, .width = 10}, in, {1, 4, 10}), 4 * 10 * 4 * 4 * 16);
  EXPECT_EQ(layer_macs(Linear{.out_features = 10}, std::vector{Shape{2, 5, 4}}, {2, 5, 10}), 2 * 5 * 4 * 10);
  EXPECT_EQ(layer_macs(Attention{.heads = 2}, std::vector{Shape{1, 7, 24}}, {1, 7, 8}), 2 * 7 * 7 * 8);
  EXPECT_EQ(layer_macs(Add{}, std::vector{in[0], in[0]}, in[0]), 0);
  EXPECT_EQ(layer_macs(BatchNorm{}, in, in[0]), 0);
}

// A NaN that disappears on the way would hide broken weights or pictures.
TEST(Layers, PassNaNOnAsPyTorchDoes) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  std::vector<Layer> layers{Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 1, .padding = 1},
                            Pool2d{.kind = PoolKind::kAverage, .kernel = 3, .stride = 1, .padding = 1},
                            GlobalAveragePool{.keep_dimensions = true},
                            Softmax{},
                            Dropout{},
                            Flatten{}};
  for (const ActivationKind kind : all_values<ActivationKind>()) layers.emplace_back(Activation{kind});
  for (const Layer& layer : layers) {
    for (const std::int64_t channels : {1, 3, 8, 21}) {  // with and without a whole vector register
      for (const std::int64_t at : {0, 4, 8}) {          // a corner, the middle, the last pixel
        std::vector<Tensor> inputs;
        inputs.push_back(Tensor::filled({1, 3, 3, channels}, 1.0F));
        inputs[0].data()[at * channels + channels - 1] = kNaN;
        const std::vector<float> y = run_layer(layer, inputs, {}, 1);
        EXPECT_TRUE(std::ranges::any_of(y, [](float value) { return std::isnan(value); }))
            << layer_name(layer) << " " << layer_attributes(layer) << " lost a NaN at pixel " << at << " of "
            << channels << " channels";
      }
    }
  }
}

TEST(Layers, AddOverSeveralBlocks) {
  std::vector<Tensor> inputs;
  for (int i = 0; i < 2; ++i) inputs.emplace_back(Shape{1, 50'001});
  for (std::int64_t i = 0; i < 50'001; ++i) {
    inputs[0].data()[i] = static_cast<float>(i);
    inputs[1].data()[i] = static_cast<float>(3 * i);
  }
  for (const int threads : {1, 2, 3}) {
    const std::vector<float> sum = run_layer(Add{}, inputs, {}, threads);
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], static_cast<float>(4 * i));
  }
}

TEST(Activation, NamesGoBothWays) {
  for (const ActivationKind kind : all_values<ActivationKind>()) {
    EXPECT_EQ(from_string<ActivationKind>("activation", to_string(kind)), kind);
  }
  EXPECT_THROW(from_string<ActivationKind>("activation", "swish-ish"), UsageError);
}

}  // namespace
}  // namespace tessera
