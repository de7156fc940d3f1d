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
  void check(RandomLayer (*make)(Draw&), int count) const {
    const std::unique_ptr<Backend> backend = make_cpu_backend(GetParam());
    const std::unique_ptr<Backend> reference = make_eigen_backend();
    std::set<std::string> seen;
    for (int seed = 0; seed < count; ++seed) {
      Draw draw(static_cast<std::uint64_t>(seed));
      const RandomLayer random = make(draw);
      SCOPED_TRACE(std::string(layer_name(random.layer)) + " " + layer_attributes(random.layer) + ", input " +
                   to_string(random.inputs[0].shape()) + ", seed " + std::to_string(seed));
      const KernelRun expected = run_kernel(*reference, random.layer, random.inputs, random.weights);
      const KernelRun found = run_kernel(*backend, random.layer, random.inputs, random.weights,
                                         {.threads = 1 + seed % 4, .offset = seed % 3});
      seen.insert(found.implementation);
      // Both sides round: twice what tests/layers allows one, and Winograd's transforms eight times that.
      const double widening = found.implementation.starts_with("winograd") ? 8 : 1;
      const double unit = widening * 4 * (std::sqrt(random.reduction) + 4) / (1 << 24);
      ASSERT_EQ(found.output.size(), expected.output.size());
      for (std::size_t i = 0; i < found.output.size(); ++i) {
        ASSERT_NEAR(found.output[i], expected.output[i], unit * (1 + std::abs(expected.output[i])))
            << found.implementation << " at " << i;
      }
    }
    for (const std::string& name : seen) std::printf("%s ", name.c_str());
    std::printf("\n");
  }
};

TEST_P(RandomLayers, Convolutions) { check(&random_conv, 250); }
TEST_P(RandomLayers, LinearLayers) { check(&random_linear, 80); }
TEST_P(RandomLayers, Attentions) { check(&random_attention, 60); }
TEST_P(RandomLayers, Others) { check(&random_other, 100); }

INSTANTIATE_TEST_SUITE_P(All, RandomLayers, testing::ValuesIn(all_cpu_options()), options_name);

}  // namespace
}  // namespace tessera
