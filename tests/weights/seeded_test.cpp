#include "weights/seeded.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tessera {
namespace {

double sum(const Tensor& tensor) {
  return std::accumulate(tensor.values().begin(), tensor.values().end(), 0.0,
                         [](double total, float value) { return total + double{value}; });
}

// The check values of docs/seeded-weights.md, computed by NumPy.
TEST(SeededWeights, HaveTheDefinedValues) {
  const LoadedModel model = seeded_model(make_config("resnet50"), 7, 2);
  const Tensor& conv = model.weights.at("conv1.weight");
  EXPECT_FLOAT_EQ(conv.data()[0], -0.119329333F);
  EXPECT_FLOAT_EQ(conv.data()[1], 0.0565245673F);
  EXPECT_FLOAT_EQ(conv.data()[2], 0.120436735F);
  EXPECT_FLOAT_EQ(conv.values().back(), -0.0205720328F);
  EXPECT_NEAR(sum(conv), -7.73529555192, 1e-9);
  const Tensor& variance = model.weights.at("bn1.running_var");
  EXPECT_FLOAT_EQ(variance.data()[0], 0.865253329F);
  EXPECT_FLOAT_EQ(variance.data()[1], 0.944040239F);
  EXPECT_FLOAT_EQ(variance.data()[2], 1.08816457F);
  EXPECT_NEAR(sum(variance), 63.3884885311, 1e-9);
}

TEST(SeededWeights, TellNormsFromLinearLayers) {
  const std::vector<Shape> in{{1, 4}};
  const WeightSpec norm_spec = LayerNorm{}.weights(in)[1], linear_spec = Linear{.out_features = 4}.weights(in)[1];
  float norm = 0, linear = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Tensor norm_bias = seeded_tensor(norm_spec, seed);
    const Tensor linear_bias = seeded_tensor(linear_spec, seed);
    for (const float v : norm_bias.values()) norm = std::max(norm, std::abs(v));
    for (const float v : linear_bias.values()) linear = std::max(linear, std::abs(v));
  }
  EXPECT_GT(norm, 0.19F);
  EXPECT_LE(norm, 0.2F);
  EXPECT_GT(linear, 0.095F);
  EXPECT_LE(linear, 0.1F);
}

TEST(SeededWeights, DifferBySeedAndNotByThreads) {
  const ModelConfig config = make_config("vit_tiny_patch16_224");
  const LoadedModel one = seeded_model(config, 1, 1);
  const LoadedModel same = seeded_model(config, 1, 3);
  const LoadedModel other = seeded_model(config, 2, 3);
  const auto& name = "blocks.3.attn.qkv.weight";
  EXPECT_TRUE(std::ranges::equal(one.weights.at(name).values(), same.weights.at(name).values()));
  EXPECT_FALSE(std::ranges::equal(one.weights.at(name).values(), other.weights.at(name).values()));
}

}  // namespace
}  // namespace tessera
