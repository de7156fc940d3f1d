// That the selftest can fail: each of the faults that a kernel might have is found in the least exact format.

#include "evaluation/check/selftest.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "cpu/cpu_backend.h"

namespace tessera {
namespace {

using Spoil = std::function<void(Layer&, std::vector<Tensor>&)>;

// The CPU in bfloat16, which prepares other layers or weights than it is asked for.
class SpoiledBackend final : public Backend {
 public:
  explicit SpoiledBackend(Spoil spoil) : spoil_(std::move(spoil)) {}
  std::string_view name() const noexcept override { return "spoiled"; }
  std::vector<ValueType> choose_types(const Graph& graph) const override { return cpu_->choose_types(graph); }
  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    Node node = request.node;
    spoil_(node.layer, weights);
    return cpu_->prepare({node, request.in, request.out, request.in_types, request.out_type, request.threads},
                         std::move(weights));
  }

 private:
  Spoil spoil_;
  std::unique_ptr<Backend> cpu_ = make_cpu_backend({.precision = Precision::kBf16});
};

// Names of the layers that did not pass: "Linear".
std::set<std::string> failures(const Spoil& spoil) {
  const SpoiledBackend backend(spoil);
  RunOptions options;
  options.dtype = "bf16";
  options.threads = 1;
  std::vector<std::string> left_out;
  std::set<std::string> failed;
  for (const SelftestRow& row : check_layers(
           backend, options, [](const SelftestRow&) {}, left_out)) {
    if (!row.passed()) failed.insert(row.name.substr(0, row.name.find(' ')));
  }
  EXPECT_TRUE(left_out.empty());
  return failed;
}

using Names = std::set<std::string>;

TEST(Selftest, PassesWithoutAFault) {
  EXPECT_EQ(failures([](Layer&, std::vector<Tensor>&) {}), Names{});
}

TEST(Selftest, FindsSumsWithoutTheirLastTerm) {
  EXPECT_EQ(failures([](Layer& layer, std::vector<Tensor>& weights) {
              if (!std::holds_alternative<Linear>(layer)) return;
              const std::int64_t columns = weights[0].shape()[1];
              for (std::int64_t row = 0; row < weights[0].shape()[0]; ++row) {
                weights[0].data()[(row + 1) * columns - 1] = 0;
              }
            }),
            Names{"Linear"});
}

TEST(Selftest, FindsABiasThatIsLeftOut) {
  EXPECT_EQ(failures([](Layer& layer, std::vector<Tensor>& weights) {
              if (std::holds_alternative<PatchEmbed>(layer) && weights.size() > 1)
                weights[1] = Tensor::zeros(weights[1].shape());
            }),
            Names{"PatchEmbed"});
}

TEST(Selftest, FindsAnotherActivation) {
  EXPECT_EQ(failures([](Layer& layer, std::vector<Tensor>&) {
              auto* const activation = std::get_if<Activation>(&layer);
              if (activation != nullptr && activation->kind == ActivationKind::kGelu)
                activation->kind = ActivationKind::kSilu;
            }),
            Names{"Activation"});
}

TEST(Selftest, FindsAttentionThatLooksAhead) {
  EXPECT_EQ(failures([](Layer& layer, std::vector<Tensor>&) {
              if (auto* const attention = std::get_if<Attention>(&layer)) attention->causal = false;
            }),
            Names{"Attention"});
}

TEST(Selftest, FindsPaddingThatIsCounted) {
  EXPECT_EQ(failures([](Layer& layer, std::vector<Tensor>&) {
              if (auto* const pool = std::get_if<Pool2d>(&layer)) pool->count_include_pad = true;
            }),
            Names{"Pool2d"});
}

TEST(Selftest, AllowsMoreOfLongerSumsAndOfFewerBits) {
  const std::vector<Shape> narrow{{1, 8, 16}}, wide{{1, 8, 1024}};
  const Linear layer{.out_features = 4};
  EXPECT_LT(layer_tolerance(layer, narrow, "f32"), layer_tolerance(layer, wide, "f32"));
  EXPECT_LT(layer_tolerance(layer, wide, "f32"), 5e-5);
  EXPECT_LT(layer_tolerance(layer, wide, "f16"), 1e-2);
  EXPECT_LT(layer_tolerance(layer, wide, "bf16"), 0.07);
  EXPECT_LT(model_tolerance("bf16"), 0.1);
}

}  // namespace
}  // namespace tessera
