// Full models against PyTorch in float64: logits and sampled activations, for the graph as the paper draws it and as it
// runs, one picture at a time and three, by the readable layers and by the CPU kernels. The references are made by
// tests/reference/make_models.py.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "evaluation/check/verify.h"
#include "models/family.h"
#include "models/registry.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

std::vector<ReferenceCase> all_references() {
  std::vector<ReferenceCase> all;
  for (const Family* family : families()) all.insert(all.end(), family->references.begin(), family->references.end());
  return all;
}

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

class ModelReference : public testing::TestWithParam<ReferenceCase> {
 protected:
  static void expect_equal(LoadedModel model, const ActivationFile& file, const Variant& variant) {
    const ReferenceCase& reference = GetParam();
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
  const ReferenceCase& reference = GetParam();
  const ActivationFile file =
      read_activation_file(std::string(TESSERA_TEST_DATA) + "/models/" + reference.file + ".h5");
  ASSERT_GE(file.activations.size(), reference.activations);
  const ModelConfig config = make_config(reference.architecture, nlohmann::json::parse(reference.overrides));
  const LoadedModel model = seeded_model(config, reference.seed, 2);
  const Sides size = picture_sides(config);
  for (const Variant& variant : kVariants) {
    SCOPED_TRACE(variant.name);
    LoadedModel copy{.card = model.card, .weights = model.weights.clone()};
    copy.card.preprocess.resize = size;
    copy.card.preprocess.crop = size;
    expect_equal(std::move(copy), file, variant);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ModelReference, testing::ValuesIn(all_references()),
                         [](const auto& tested) { return std::string(tested.param.file); });

// What an architecture is, but for its sizes and a plain head: two that are alike in it differ in numbers that change
// no layer's kind.
nlohmann::json kind_of(const ModelConfig& config) {
  nlohmann::json kind = nlohmann::json::object();
  for (const auto& [parameter, value] : config.parameters.items()) {
    if (value.is_boolean() || value.is_string()) kind[parameter] = value;
    if (parameter == "registers") kind[parameter] = value > 0;
    if (parameter == "head" && (value == "linear" || value == "none")) kind.erase(parameter);
  }
  return kind;
}

TEST(ModelReferences, AreThereForTheKnownOnesAndForEveryKind) {
  const std::vector<ReferenceCase> all = all_references();
  for (const Family* family : families()) {
    for (const std::string_view name : family->rows) {
      EXPECT_TRUE(std::ranges::any_of(all, [&](const ReferenceCase& r) { return name == r.architecture; }))
          << name << " is not held against PyTorch";
    }
  }
  for (const Architecture& row : architectures()) {
    const nlohmann::json kind = kind_of(make_config(row.name));
    EXPECT_TRUE(std::ranges::any_of(all,
                                    [&](const ReferenceCase& r) {
                                      return kind ==
                                             kind_of(make_config(r.architecture, nlohmann::json::parse(r.overrides)));
                                    }))
        << row.name << ": nothing of its kind is held against PyTorch: " << kind;
  }
}

// A check that cannot fail would be none: another seed, another epsilon and a swapped layer must be noticed.
TEST(ModelReferences, NoticeAWrongModel) {
  const ActivationFile file = read_activation_file(TESSERA_TEST_DATA "/models/vit_tiny_patch16.h5");
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
