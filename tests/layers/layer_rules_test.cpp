// What layers refuse, count and let through, without PyTorch's values.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "layers/layer.h"
#include "tests/layers/guarded_run.h"

namespace tessera {
namespace {

struct BadShape {
  Layer layer;
  std::vector<Shape> in;
};

TEST(Layers, RefuseShapesTheyCannotTake) {
  const std::vector<BadShape> cases{
      {Conv2d{.out_channels = 4, .groups = 3}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 5, .groups = 2}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 0}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .kernel = 7}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .kernel = 3, .dilation = 2}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .stride = 0}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .padding = -1}, {{1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4}, {{1, 4, 4}}},
      {Conv2d{.out_channels = 4}, {{1, 4, 4, 4}, {1, 4, 4, 4}}},
      {Conv2d{.out_channels = 4, .residual = true}, {{1, 4, 4, 4}, {1, 4, 4, 5}}},
      {Linear{.out_features = 0}, {{1, 4}}},
      {Linear{.out_features = 3}, {{4}}},
      {Linear{.out_features = 3, .residual = true}, {{1, 4}, {1, 4}}},
      {BatchNorm{}, {{4}}},
      {LayerNorm{}, {{4}}},
      {Attention{.heads = 5}, {{1, 2, 48}}},
      {Attention{.heads = 0}, {{1, 2, 48}}},
      {Attention{.heads = 3}, {{1, 2, 3, 9}}},
      {PatchEmbed{.patch = 16, .width = 8}, {{1, 17, 16, 3}}},
      {PatchEmbed{.patch = 16, .width = 8}, {{1, 16, 8, 3}}},
      {PatchEmbed{.patch = 0, .width = 8}, {{1, 16, 16, 3}}},
      {TokenEmbed{.grid = 3}, {{1, 8, 4}}},
      {TokenEmbed{.class_token = false, .grid = 2}, {{1, 4, 4}}},
      {TokenPool{.kind = TokenPoolKind::kMean, .skip = 4}, {{1, 4, 8}}},
      {TokenPool{.kind = TokenPoolKind::kMean, .skip = -1}, {{1, 4, 8}}},
      {Pool2d{.kernel = 3, .padding = 2}, {{1, 8, 8, 1}}},
      {Pool2d{.kernel = 9}, {{1, 8, 8, 1}}},
      {Pool2d{.stride = 0}, {{1, 8, 8, 1}}},
      {GlobalAveragePool{}, {{1, 8}}},
      {GlobalAveragePool{}, {{1, 0, 4, 3}}},
      {Add{}, {{1, 4}, {1, 5}}},
      {Add{}, {{1, 4}}},
      {Multiply{}, {{1, 4, 4, 2}, {1, 1, 1, 3}}},
      {Concat{}, {{1, 4, 4}, {1, 5, 4}}},
      {Concat{}, {{1, 4, 4}, {1, 4}}},
      {Concat{}, {}},
      {Flatten{}, {{4}}},
      {Softmax{}, {}},
      {Activation{}, {}},
      {LayerScale{}, {{4}}},
      {Dropout{}, {}},
      {InvertedResidual{.expand = {}, .depthwise = {.out_channels = 8, .groups = 4}, .project = {.out_channels = 2}},
       {{1, 4, 4, 4}}},
      {InvertedResidual{.expand = {}, .depthwise = {.out_channels = 4, .groups = 4}, .project = {.out_channels = 2}},
       {{1, 4, 4, 4}, {1, 4, 4, 2}}},
  };
  std::set<std::string_view> refused;
  for (const BadShape& bad : cases) {
    try {
      const Shape out = layer_output_shape(bad.layer, bad.in);
      ADD_FAILURE() << layer_name(bad.layer) << " " << layer_attributes(bad.layer) << " gave " << to_string(out);
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find(layer_name(bad.layer)), 0U) << message;
      for (const Shape& shape : bad.in) EXPECT_NE(message.find(to_string(shape)), std::string::npos) << message;
      refused.insert(layer_name(bad.layer));
    }
  }
  EXPECT_EQ(refused.size(), std::variant_size_v<Layer>);
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
  const std::vector<Layer> layers{Activation{.kind = ActivationKind::kRelu},
                                  Activation{.kind = ActivationKind::kRelu6},
                                  Activation{.kind = ActivationKind::kSilu},
                                  Activation{.kind = ActivationKind::kHardSwish},
                                  Activation{.kind = ActivationKind::kGelu},
                                  Activation{.kind = ActivationKind::kSigmoid},
                                  Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 1, .padding = 1},
                                  Pool2d{.kind = PoolKind::kAverage, .kernel = 3, .stride = 1, .padding = 1},
                                  GlobalAveragePool{.keep_dimensions = true},
                                  Softmax{},
                                  Dropout{},
                                  Flatten{}};
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
  for (const ActivationKind kind :
       {ActivationKind::kNone, ActivationKind::kRelu, ActivationKind::kRelu6, ActivationKind::kSilu,
        ActivationKind::kHardSwish, ActivationKind::kGelu, ActivationKind::kSigmoid}) {
    EXPECT_EQ(activation_from_string(to_string(kind)), kind);
  }
  EXPECT_THROW(activation_from_string("swish-ish"), UsageError);
}

}  // namespace
}  // namespace tessera
