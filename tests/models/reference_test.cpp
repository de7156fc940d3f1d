// Full models against PyTorch in float64: logits and sampled activations, for the graph as the paper draws it and as it
// runs, one picture at a time and three, by the readable layers and by the CPU kernels. The references are made by
// tests/reference/make_models.sh.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "evaluation/check/verify.h"
#include "models/registry.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

struct Reference {
  const char* file;
  const char* architecture;
  std::uint64_t seed;
  const char* overrides;    // JSON: parameters that differ from the architecture's
  std::size_t activations;  // at least so many
  double tolerance = 2e-5;  // relative and absolute
};

constexpr Reference kReferences[] = {
    {"resnet18", "resnet18", 3, "{}", 30},
    {"resnet34", "resnet34", 4, "{}", 30},
    {"resnet50", "resnet50", 7, "{}", 150},
    {"resnet101", "resnet101", 5, R"({"image_size": 128})", 40},
    // Seeded, 50 residual blocks grow to values of some hundreds: PyTorch's own float32 is 6.7e-5 off, 2.1 times 2e-5.
    {"resnet152", "resnet152", 6, R"({"image_size": 128})", 40, 5e-5},
    {"vit_tiny_patch16", "vit_tiny_patch16_224", 1, "{}", 40},
    {"vit_small_patch32", "vit_small_patch32_224", 2, "{}", 40},
    {"vit_base_patch16", "vit_base_patch16_224", 7, "{}", 100},
    {"vit_base_patch16_hf", "vit_base_patch16_224", 7, R"({"norm_eps": 1e-12})", 70},
    {"vit_base_patch32_160", "vit_base_patch32_224", 8, R"({"image_size": 160})", 30},
    {"vit_tiny_avg", "vit_tiny_patch16_224", 9, R"({"pool": "avg"})", 30},
    {"dinov2_small_224", "vit_small_patch14_dinov2", 10, R"({"image_size": 224})", 40},
    {"dinov2_small_reg4_224", "vit_small_patch14_reg4_dinov2", 11, R"({"image_size": 224})", 40},
    {"vit_tiny_patch32", "vit_tiny_patch32_224", 14, "{}", 20},
    {"vit_small_patch16", "vit_small_patch16_224", 15, "{}", 30},
    // Large ones with two blocks: a block more is the same again.
    {"vit_large_patch16_depth2", "vit_large_patch16_224", 16, R"({"depth": 2})", 20},
    {"vit_large_patch32_depth2", "vit_large_patch32_224", 17, R"({"depth": 2})", 20},
    {"dinov2_base_224_depth2", "vit_base_patch14_dinov2", 18, R"({"image_size": 224, "depth": 2})", 20},
    {"dinov2_large_224_depth2", "vit_large_patch14_dinov2", 19, R"({"image_size": 224, "depth": 2})", 20},
    {"dinov2_base_reg4_224_depth2", "vit_base_patch14_reg4_dinov2", 20, R"({"image_size": 224, "depth": 2})", 20},
    {"dinov2_large_reg4_224_depth2", "vit_large_patch14_reg4_dinov2", 21, R"({"image_size": 224, "depth": 2})", 20},
    {"efficientnet_lite0", "efficientnet_lite0", 12, "{}", 60},
    {"tf_efficientnet_lite0", "tf_efficientnet_lite0", 13, "{}", 60},
};

struct Variant {
  const char* name;
  const char* device;
  bool exact;
  bool optimise;
  std::int64_t batch;
  double widening = 1;  // of the tolerance
};
// Winograd's transforms cost up to a digit.
constexpr double kWinograd = 5;
constexpr Variant kVariants[] = {
    {"eigen_fused_batch1", "eigen", false, true, 1},        {"eigen_fused_batch3", "eigen", false, true, 3},
    {"eigen_raw_batch1", "eigen", false, false, 1},         {"eigen_raw_batch3", "eigen", false, false, 3},
    {"cpu_fused_batch1", "cpu", false, true, 1, kWinograd}, {"cpu_raw_batch3", "cpu", false, false, 3, kWinograd},
    {"cpu_exact_fused_batch3", "cpu", true, true, 3},       {"cpu_exact_raw_batch1", "cpu", true, false, 1},
};

class ModelReference : public testing::TestWithParam<Reference> {
 protected:
  static void expect_equal(LoadedModel model, const ReferenceFile& file, const Variant& variant) {
    const Reference& reference = GetParam();
    const RunOptions options{.device = variant.device,
                             .exact = variant.exact,
                             .threads = 2,
                             .max_batch = variant.batch,
                             .optimise = variant.optimise};
    const double tolerance = reference.tolerance * variant.widening;
    const VerifyResult result =
        verify_model(std::move(model), file, options, {.relative = tolerance, .absolute = tolerance});
    EXPECT_LE(result.output.worst, 1) << "logits differ by " << result.output.max_error;
    EXPECT_TRUE(result.top5_equal);
    for (const std::string& path : result.missing) ADD_FAILURE() << path << " is not in the graph";
    for (const LayerDifference& layer : result.activations) {
      EXPECT_TRUE(layer.passed()) << layer.path << ": " << layer.found << " for " << layer.expected;
    }
    std::printf("%s, %s: worst logit error %.2e, %.0f %% of the tolerance\n", reference.file, variant.name,
                result.output.max_error, result.output.worst * 100);
  }
};

// One test for all variants, so that the weights, which take most of the time, are made once.
TEST_P(ModelReference, EqualsPyTorch) {
  const Reference& reference = GetParam();
  const ReferenceFile file = read_reference_file(std::string(TESSERA_TEST_DATA) + "/models/" + reference.file + ".h5");
  ASSERT_GE(file.activations.size(), reference.activations);
  const ModelConfig config = make_config(reference.architecture, nlohmann::json::parse(reference.overrides));
  const LoadedModel model = seeded_model(config, reference.seed, 2);
  const int size = config.parameters.at("image_size").get<int>();
  for (const Variant& variant : kVariants) {
    SCOPED_TRACE(variant.name);
    LoadedModel copy{.card = model.card, .weights = model.weights.clone()};
    copy.card.preprocess.resize = size;
    copy.card.preprocess.crop = size;
    expect_equal(std::move(copy), file, variant);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ModelReference, testing::ValuesIn(kReferences),
                         [](const auto& tested) { return std::string(tested.param.file); });

TEST(ModelReferences, AreThereForEveryArchitecture) {
  for (const Architecture& row : architectures()) {
    const auto found =
        std::ranges::find_if(kReferences, [&](const Reference& r) { return row.name == r.architecture; });
    EXPECT_NE(found, std::end(kReferences)) << row.name << " is not held against PyTorch";
  }
}

// A check that cannot fail would be none: another seed, another epsilon and a swapped layer must be noticed.
TEST(ModelReferences, NoticeAWrongModel) {
  const ReferenceFile file = read_reference_file(TESSERA_TEST_DATA "/models/vit_tiny_patch16.h5");
  const RunOptions options{.threads = 2};
  LoadedModel other_seed = seeded_model(make_config("vit_tiny_patch16_224"), 2, 2);
  EXPECT_FALSE(verify_model(std::move(other_seed), file, options, {}).passed());
  LoadedModel other_epsilon = seeded_model(make_config("vit_tiny_patch16_224", {{"norm_eps", 1e-2}}), 1, 2);
  const VerifyResult result = verify_model(std::move(other_epsilon), file, options, {});
  ASSERT_NE(result.first_failure(), nullptr);
  EXPECT_TRUE(result.first_failure()->path.starts_with("blocks.0.")) << result.first_failure()->path;
}

}  // namespace
}  // namespace tessera
