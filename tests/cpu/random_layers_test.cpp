// The CPU kernels against the readable forward() of the layers, over shapes that nobody chose.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/cpu/random_layer.h"
#include "tests/cpu/run_kernel.h"

namespace tessera {
namespace {

class RandomLayers : public testing::TestWithParam<CpuOptions> {
 protected:
  void check(RandomLayer (*make)(Draw&), int count) {
    count = draws_under_test(GetParam(), count);
    const std::unique_ptr<Backend> backend = make_cpu_backend(GetParam());
    const std::unique_ptr<Backend> reference = make_eigen_backend();
    for (int seed = 0; seed < count; ++seed) {
      Draw draw(static_cast<std::uint64_t>(seed));
      const RandomLayer random = make(draw);
      SCOPED_TRACE(std::string(layer_name(random.layer)) + " " + layer_attributes(random.layer) + ", input " +
                   to_string(random.inputs[0].shape()) + ", seed " + std::to_string(seed));
      const KernelRun expected = run_kernel(*reference, random.layer, random.inputs, random.weights);
      const KernelRun found = run_kernel(*backend, random.layer, random.inputs, random.weights,
                                         {.threads = 1 + seed % 4,
                                          .offset = seed % 3,
                                          .max_batch = 0,
                                          .types = {},
                                          .way = way_under_test(GetParam()),
                                          .options = &GetParam()});
      seen_.insert(found.implementation);
      // Both sides round: twice what tests/layers allows one.
      const double unit = widening(found.implementation) * 4 * (std::sqrt(random.reduction) + 4) / (1 << 24);
      ASSERT_EQ(found.output.size(), expected.output.size());
      for (std::size_t i = 0; i < found.output.size(); ++i) {
        ASSERT_NEAR(found.output[i], expected.output[i], unit * (1 + std::abs(expected.output[i])))
            << found.implementation << " at " << i;
      }
    }
    for (const std::string& name : seen_) std::printf("%s ", name.c_str());
    std::printf("\n");
  }

  std::set<std::string> seen_;  // kernels
};

TEST_P(RandomLayers, Convolutions) { check(&random_layer<Conv2d>, 250); }
TEST_P(RandomLayers, LinearLayers) { check(&random_layer<Linear>, 80); }
TEST_P(RandomLayers, WideProducts) {
  check(&random_wide_product, 24);
  if (GetParam().isa.ends_with("amx")) {
    EXPECT_TRUE(seen_.contains("gemm_f32_amx"));
  } else {
    EXPECT_EQ(seen_.contains("strassen_" + GetParam().isa), !GetParam().exact);
  }
}
TEST_P(RandomLayers, DeepProducts) { check(&random_deep_product, 8); }
TEST_P(RandomLayers, Attentions) { check(&random_layer<Attention>, 60); }
TEST_P(RandomLayers, EveryType) { check(&random_of_any_type, 20 * static_cast<int>(std::variant_size_v<Layer>)); }

// Rows of two pictures never meet in a sum, however many pictures there are and in whatever tiles they come.
void check_products(const CpuOptions& options, RandomLayer (*make)(Draw&), std::uint64_t count) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(options);
  count = static_cast<std::uint64_t>(draws_under_test(options, static_cast<int>(count)));
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    Draw draw(seed);
    const RandomLayer random = make(draw);
    KernelSetting setting{.way = way_under_test(options), .options = &options};
    const KernelRun alone = run_kernel(*backend, random.layer, random.inputs, random.weights, setting);
    for (const int threads : {2, 3}) {
      setting.threads = threads;
      const KernelRun found = run_kernel(*backend, random.layer, random.inputs, random.weights, setting);
      EXPECT_TRUE(same_bits(alone.output, found.output)) << alone.implementation << ", seed " << seed;
    }
    std::vector<Tensor> others;
    for (const Tensor& tensor : random.inputs) {
      Shape shape = tensor.shape();
      shape[0] += 3;
      Tensor longer = draw.tensor(shape, 1);
      const std::int64_t picture = tensor.shape().count() / tensor.shape()[0];
      std::ranges::copy(tensor.values(), longer.data() + picture);  // another comes first, two after it
      others.push_back(std::move(longer));
    }
    setting.threads = 2;
    const KernelRun among = run_kernel(*backend, random.layer, others, random.weights, setting);
    const std::size_t picture = alone.output.size() / static_cast<std::size_t>(random.inputs[0].shape()[0]);
    EXPECT_TRUE(same_bits(alone.output, std::span(among.output).subspan(picture, alone.output.size())))
        << alone.implementation << ", seed " << seed;
  }
}
TEST_P(RandomLayers, WideProductsDependOnNothingButTheirPicture) {
  check_products(GetParam(), &random_wide_product, 8);
}
TEST_P(RandomLayers, DeepProductsDependOnNothingButTheirPicture) {
  check_products(GetParam(), &random_deep_product, 4);
}

// Products that are cut into tasks, parts of K and panels in every way that there is: [rows, K, N].
TEST_P(RandomLayers, ProductsOfEveryCut) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(GetParam());
  const std::unique_ptr<Backend> reference = make_eigen_backend();
  const std::int64_t shapes[][3] = {{197, 768, 192}, {49, 2304, 200}, {700, 64, 150}, {333, 1152, 100}, {1, 96, 130}};
  for (const auto& [rows, depth, columns] : shapes) {
    Draw draw(static_cast<std::uint64_t>(rows));
    const RandomLayer random = random_product(Linear{.out_features = columns}, {1, rows, depth}, false, draw);
    const KernelRun expected = run_kernel(*reference, random.layer, random.inputs, random.weights);
    for (const int threads : {1, 2, 3}) {
      if (threads != 2 && GetParam().isa == cpu::kEmulatedAmx) continue;
      for (const std::int64_t batch : {1, 5}) {
        const KernelSetting setting{.threads = threads,
                                    .offset = 0,
                                    .max_batch = batch,
                                    .types = {},
                                    .way = way_under_test(GetParam()),
                                    .options = &GetParam()};
        const KernelRun found = run_kernel(*backend, random.layer, random.inputs, random.weights, setting);
        const double unit = widening(found.implementation) * 4 * (std::sqrt(random.reduction) + 4) / (1 << 24);
        for (std::size_t i = 0; i < found.output.size(); ++i) {
          ASSERT_NEAR(found.output[i], expected.output[i], unit * (1 + std::abs(expected.output[i])))
              << found.implementation << ", rows " << rows << ", threads " << threads << ", at " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomLayers, testing::ValuesIn(all_cpu_options()), options_name);

}  // namespace
}  // namespace tessera
