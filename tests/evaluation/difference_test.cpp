// Dumps and where they differ: the arithmetic, files, and three mistakes that ports of a model make.

#include "evaluation/check/difference.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "evaluation/check/dump.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr Tolerance kTolerance{.relative = 1e-4, .absolute = 2e-5};  // as `tessera diff`

TEST(Difference, IsOfTheWorstValueAndItsPlace) {
  const Shape shape{1, 2, 2, 2};
  DifferenceSum sum("layer", shape, {.relative = 0.1, .absolute = 1});
  const double expected[] = {1, 2, 3, 4, 5, 6, 100, 8}, found[] = {1, 2, 3, 4, 5, 9, 110, 8};
  for (std::int64_t i = 0; i < 8; ++i) sum.add(found[i], expected[i], i);
  const LayerDifference difference = sum.result();
  EXPECT_EQ(difference.values, 8U);
  EXPECT_DOUBLE_EQ(difference.max_error, 10);   // of 100, within 1 + 0.1 * 100
  EXPECT_DOUBLE_EQ(difference.worst, 3 / 1.6);  // 9 for 6
  EXPECT_EQ(difference.worst_index, 5);
  EXPECT_EQ(position_of(5, shape), (std::vector<std::int64_t>{0, 1, 0, 1}));
  EXPECT_EQ(position_text(5, shape), "n 0, h 1, w 0, c 1");
  EXPECT_EQ(position_text(5, {2, 3}), "n 1, c 2");
  EXPECT_EQ(position_text(5, {1, 3, 2}), "n 0, t 2, c 1");
  EXPECT_DOUBLE_EQ(difference.mean_error, 13.0 / 8);
  EXPECT_NEAR(difference.cosine, 11173 / std::sqrt(10155.0) / std::sqrt(12300.0), 1e-12);
  EXPECT_FALSE(difference.passed());
}

TEST(Difference, OfWhatIsNotFiniteFails) {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), HUGE_VAL, -HUGE_VAL}) {
    for (const bool both : {false, true}) {
      DifferenceSum sum("layer", {1, 3}, {.relative = 1e9, .absolute = 1e9});
      sum.add(1, 1, 0);
      sum.add(value, both ? value : 1, 1);
      sum.add(5, 1, 2);
      EXPECT_FALSE(sum.result().passed());
      EXPECT_EQ(sum.result().worst_index, 1);
    }
  }
}

TEST(Difference, OfNothingIsNoProofOfEquality) {
  EXPECT_FALSE(DifferenceSum("layer", {1, 3}, kTolerance).result().passed());
}

TEST(Difference, OfNoToleranceTakesEqualValuesAlone) {
  DifferenceSum equal("layer", {1, 2}, {.relative = 0, .absolute = 0});
  equal.add(0, 0, 0);
  equal.add(3, 3, 1);
  EXPECT_TRUE(equal.result().passed());
  equal.add(std::nextafter(3.0, 4.0), 3, 1);
  EXPECT_FALSE(equal.result().passed());
}

class Dumps : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-dumps-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A picture with structure, the same for every model of that size.
  static Tensor picture(std::int64_t side) {
    Tensor input({1, side, side, 3});
    for (std::int64_t i = 0; i < input.shape().count(); ++i) {
      input.data()[i] = static_cast<float>((i * 37 + i / (3 * side) * 11) % 256) / 64 - 2;
    }
    return input;
  }
  fs::path dump(const std::string& name, LoadedModel model, bool fused = false) const {
    const auto side = model.card.config.parameters.at("image_size").get<std::int64_t>();
    model.card.preprocess.resize = static_cast<int>(side);
    model.card.preprocess.crop = static_cast<int>(side);
    Classifier classifier(std::move(model), {.threads = 2, .optimise = fused, .taps = {"*"}});
    write_dump(folder_ / name, classifier, picture(side).view(), nullptr);
    return folder_ / name;
  }
  static FileDifference compare(const fs::path& first, const fs::path& second,
                                const Tolerance& tolerance = kTolerance) {
    return compare_files(ActivationReader(first), ActivationReader(second), tolerance);
  }
  static ModelConfig small_vit(const nlohmann::json& changes = nlohmann::json::object()) {
    nlohmann::json parameters{{"image_size", 32}, {"dim", 48},     {"depth", 2},
                              {"heads", 3},       {"classes", 10}, {"pos_grid", 2}};
    parameters.update(changes);
    return make_config("vit_tiny_patch16_224", parameters);
  }

  fs::path folder_;
};

TEST_F(Dumps, OfTheFusedGraphEqualThoseOfTheRawOne) {
  const fs::path raw = dump("raw.h5", seeded_model(small_vit(), 3));
  const fs::path fused = dump("fused.h5", seeded_model(small_vit(), 3), true);
  const FileDifference difference = compare(raw, fused);
  EXPECT_EQ(difference.first_failure(), nullptr);
  EXPECT_TRUE(difference.only_in_first.empty());
  EXPECT_TRUE(difference.only_in_second.empty());
  EXPECT_EQ(difference.layers.front().path, "input");
  EXPECT_EQ(difference.layers[1].path, "patch_embed.proj");
  EXPECT_EQ(difference.layers.back().path, "output");
  EXPECT_GT(difference.layers.size(), 30U);
}

TEST_F(Dumps, NameTheNormWithAnotherEpsilon) {
  const fs::path right = dump("right.h5", seeded_model(small_vit(), 3));
  const fs::path wrong = dump("wrong.h5", seeded_model(small_vit({{"norm_eps", 1e-5}}), 3));
  const FileDifference difference = compare(right, wrong);
  ASSERT_NE(difference.first_failure(), nullptr);
  EXPECT_EQ(difference.first_failure()->path, "blocks.0.norm1");
  EXPECT_GT(difference.first_failure()->cosine, 0.99999);  // a mistake of scale, not of direction
}

TEST_F(Dumps, NameTheAttentionWhoseQueriesAndKeysAreSwapped) {
  const fs::path right = dump("right.h5", seeded_model(small_vit(), 3));
  LoadedModel model = seeded_model(small_vit(), 3);
  for (const char* name : {"blocks.1.attn.qkv.weight", "blocks.1.attn.qkv.bias"}) {
    Tensor tensor = model.weights.take(name);
    const auto third = static_cast<std::ptrdiff_t>(tensor.values().size() / 3);
    std::swap_ranges(tensor.values().begin(), tensor.values().begin() + third, tensor.values().begin() + third);
    model.weights.put(name, std::move(tensor));
  }
  const FileDifference difference = compare(right, dump("wrong.h5", std::move(model)));
  ASSERT_NE(difference.first_failure(), nullptr);
  EXPECT_EQ(difference.first_failure()->path, "blocks.1.attn.qkv");
  // Queries and keys, not values.
  EXPECT_LT(position_of(difference.first_failure()->worst_index, difference.first_failure()->shape).back(), 2 * 48);
}

TEST_F(Dumps, NameTheConvolutionThatIsPaddedElsewhere) {
  const nlohmann::json size{{"image_size", 64}};
  nlohmann::json symmetric = size;
  symmetric["same_padding"] = false;
  const fs::path right = dump("right.h5", seeded_model(make_config("tf_efficientnet_lite0", size), 3));
  const fs::path wrong = dump("wrong.h5", seeded_model(make_config("tf_efficientnet_lite0", symmetric), 3));
  const FileDifference difference = compare(right, wrong);
  ASSERT_NE(difference.first_failure(), nullptr);
  EXPECT_EQ(difference.first_failure()->path, "conv_stem");  // stride 2: the grid is one pixel off
  EXPECT_EQ(difference.layers.front().path, "input");
  EXPECT_TRUE(difference.layers.front().passed());
}

TEST_F(Dumps, SayWhatOnlyOneOfThemHasAndWhichShapesDiffer) {
  ActivationFile first{.model = "a", .input = picture(2), .output_shape = {1, 2}, .output = {1, 2}, .activations = {}};
  ActivationFile second{.model = "b", .input = picture(2), .output_shape = {1, 2}, .output = {1, 2}, .activations = {}};
  first.activations = {{"one", {1, 4}, {}, {1, 2, 3, 4}},
                       {"two", {1, 2, 2, 1}, {}, {1, 2, 3, 4}},
                       {"three", {1, 4}, {0, 2}, {1, 3}},
                       {"four", {1, 2}, {}, {5, 6}}};
  second.activations = {{"zero", {1, 1}, {}, {9}},
                        {"two", {1, 4, 1}, {}, {1, 2, 3, 4}},
                        {"three", {1, 4}, {2, 3}, {3, 7}},
                        {"four", {1, 3}, {}, {5, 6, 7}}};
  write_activation_file(folder_ / "a.h5", first);
  write_activation_file(folder_ / "b.h5", second);
  const FileDifference difference = compare(folder_ / "a.h5", folder_ / "b.h5");
  EXPECT_EQ(difference.only_in_first, std::vector<std::string>{"one"});
  EXPECT_EQ(difference.only_in_second, std::vector<std::string>{"zero"});
  ASSERT_EQ(difference.layers.size(), 5U);
  EXPECT_TRUE(difference.layers[1].passed()) << "tokens are a picture's rows of pixels";
  EXPECT_EQ(difference.layers[2].values, 1U) << "the sample that both have";
  EXPECT_EQ(difference.first_failure(), &difference.layers[3]);
  EXPECT_EQ(difference.layers[3].other_shape, (Shape{1, 3}));
  EXPECT_EQ(difference.worst_failure(), &difference.layers[3]);

  second.activations = {{"zero", {1, 1}, {}, {9}}};
  write_activation_file(folder_ / "b.h5", second);
  EXPECT_THROW(compare(folder_ / "a.h5", folder_ / "b.h5"), CheckError);
}

}  // namespace
}  // namespace tessera
