// The CPU backend on the layer cases of tests/data: against PyTorch's values, and what every kernel promises.

#include "cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "core/error.h"
#include "engine/passes.h"
#include "engine/program.h"
#include "models/registry.h"
#include "tests/cpu/random_layer.h"
#include "tests/cpu/run_kernel.h"
#include "tests/layers/case_file.h"

namespace tessera {
namespace {

class CpuLayerCases : public testing::TestWithParam<CpuOptions> {
 protected:
  KernelRun run(const LayerCase& c, const std::vector<Tensor>& inputs, int threads, std::int64_t offset = 0) const {
    return run(c, inputs, {.threads = threads, .offset = offset});
  }
  KernelRun run(const LayerCase& c, const std::vector<Tensor>& inputs, KernelSetting setting) const {
    setting.way = way_under_test(GetParam());
    setting.options = &GetParam();
    return run_kernel(*backend_, c.layer, inputs, c.weights, setting);
  }
  std::unique_ptr<Backend> backend_ = make_cpu_backend(GetParam());
};

// As tests/layers/layers_test.cpp has it.
double tolerance(const LayerCase& entry, const std::string& implementation, double expected) {
  constexpr double kUnit = 1.0 / (1 << 24);
  return widening(implementation) * 2 * kUnit * (std::sqrt(static_cast<double>(entry.reduction)) + 4) *
         (1 + std::abs(expected));
}

TEST_P(CpuLayerCases, MatchPyTorch) {
  for (const LayerCase& c : layer_cases()) {
    SCOPED_TRACE(c.name);
    const KernelRun found = run(c, c.inputs, 1);
    ASSERT_EQ(found.output.size(), c.output.values().size());
    for (std::size_t i = 0; i < found.output.size(); ++i) {
      const double expected = c.output.values()[i];
      ASSERT_NEAR(found.output[i], expected, tolerance(c, found.implementation, expected))
          << found.implementation << " at " << i;
    }
  }
}

TEST_P(CpuLayerCases, DoNotDependOnThreads) {
  for (const LayerCase& c : layer_cases()) {
    SCOPED_TRACE(c.name);
    const KernelRun one = run(c, c.inputs, 1);
    for (const int threads : {2, 3, 4}) {
      EXPECT_TRUE(same_bits(one.output, run(c, c.inputs, threads).output)) << one.implementation << ", " << threads;
    }
  }
}

TEST_P(CpuLayerCases, DoNotDependOnThePlaceInTheBatch) {
  for (const LayerCase& c : layer_cases()) {
    SCOPED_TRACE(c.name);
    const KernelRun alone = run(c, c.inputs, 2);
    const KernelRun found = run(c, repeated(c.inputs, 3), 2);
    ASSERT_EQ(found.output.size(), 3 * alone.output.size());
    for (std::size_t i = 0; i < 3; ++i) {
      const auto part = std::span(found.output).subspan(i * alone.output.size(), alone.output.size());
      EXPECT_TRUE(same_bits(alone.output, part)) << alone.implementation << ", copy " << i;
    }
    // Prepared for more pictures than it gets.
    const std::int64_t most = c.inputs[0].shape()[0] * 7;
    const KernelRun fewer = run(c, c.inputs, KernelSetting{.threads = 2, .max_batch = most});
    EXPECT_TRUE(same_bits(alone.output, fewer.output)) << alone.implementation;
  }
}

TEST_P(CpuLayerCases, DoNotDependOnWhereTheirMemoryLies) {
  for (const LayerCase& c : layer_cases()) {
    SCOPED_TRACE(c.name);
    const KernelRun aligned = run(c, c.inputs, 1);
    for (const std::int64_t offset : {1, 4, 15}) {
      EXPECT_TRUE(same_bits(aligned.output, run(c, c.inputs, 1, offset).output)) << aligned.implementation;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CpuLayerCases, testing::ValuesIn(all_cpu_options()), options_name);

// GELU against float64, at many more values than a layer case has.
TEST_P(CpuLayerCases, GeluIsExactToThreeTenMillionths) {
  constexpr int kSteps = 400'000;
  constexpr double kReach = 12;
  Tensor x(Shape{1, kSteps});
  for (int i = 0; i < kSteps; ++i) x.data()[i] = static_cast<float>(kReach * (2.0 * i / kSteps - 1));
  std::vector<Tensor> inputs;
  inputs.push_back(x.clone());
  const KernelRun found = run_kernel(*backend_, Activation{ActivationKind::kGelu}, inputs, {});
  double worst = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double value = x.data()[i];
    const double expected = 0.5 * value * std::erfc(-value / std::sqrt(2.0));
    // Beyond 4 the float nearest to the exact value is itself up to 2.4e-7 (4.8e-7 beyond 8) away.
    const double spacing = std::abs(value) < 4 ? 0 : std::abs(value) / (1 << 24);
    worst = std::max(worst, std::abs(found.output[static_cast<std::size_t>(i)] - expected) - spacing);
  }
  EXPECT_LE(worst, 3e-7);
}

// Softmax against float64 on rows of every length up to a few vectors, whose values lie far from zero and from each
// other: differences down to -100 below the largest, the last of which are less than any float32.
TEST_P(CpuLayerCases, SoftmaxOfWideRows) {
  for (std::int64_t count = 1; count <= 67; ++count) {
    Tensor x(Shape{5, count});
    for (std::int64_t i = 0; i < x.shape().count(); ++i) {
      x.data()[i] = 3000.0F - 100.0F * static_cast<float>(i * 37 % 101) / 101.0F;
    }
    std::vector<Tensor> inputs;
    inputs.push_back(x.clone());
    const KernelRun found = run_kernel(*backend_, Softmax{}, inputs, {});
    for (std::int64_t row = 0; row < 5; ++row) {
      const std::span<const float> values(x.data() + row * count, static_cast<std::size_t>(count));
      const double largest = *std::ranges::max_element(values);
      double sum = 0;
      for (const float value : values) sum += std::exp(value - largest);
      for (std::int64_t i = 0; i < count; ++i) {
        const double exact = std::exp(values[static_cast<std::size_t>(i)] - largest) / sum;
        const double error = found.output[static_cast<std::size_t>(row * count + i)] - exact;
        // The exponent is rounded: by 2^-24 of it.
        EXPECT_LE(std::abs(error), exact * 1e-5 + 1e-38) << count << " values, value " << i;
        EXPECT_LE(std::abs(error), 2e-7) << count << " values, value " << i;
      }
    }
  }
}

// A value that is not a number makes the whole row so, and no other row.
TEST_P(CpuLayerCases, SoftmaxHandsNaNOn) {
  constexpr std::int64_t kRows = 6, kCount = 21;
  Tensor x = Tensor::zeros(Shape{kRows, kCount});
  x.data()[2 * kCount + 3] = std::numeric_limits<float>::quiet_NaN();
  x.data()[4 * kCount + 20] = std::numeric_limits<float>::quiet_NaN();
  std::vector<Tensor> inputs;
  inputs.push_back(x.clone());
  const KernelRun found = run_kernel(*backend_, Softmax{}, inputs, {});
  for (std::int64_t i = 0; i < kRows * kCount; ++i) {
    const std::int64_t row = i / kCount;
    EXPECT_EQ(std::isnan(found.output[static_cast<std::size_t>(i)]), row == 2 || row == 4) << "row " << row;
  }
}

TEST(CpuBackend, NamesAnInstructionSetThatIsNotThere) {
  ASSERT_FALSE(cpu_isas().empty());
  try {
    make_cpu_backend({.isa = "avx1024"});
    FAIL();
  } catch (const DeviceError& error) {
    for (const std::string& isa : cpu_isas()) {
      EXPECT_NE(std::string(error.what()).find(" " + isa), std::string::npos) << isa;
    }
  }
}

// Only what copies or adds may run as on the backend "eigen".
TEST(CpuBackend, LeavesNoArithmeticToTheReference) {
  const std::set<std::string_view> copying{"TokenEmbed", "TokenPool", "Add",    "Multiply",
                                           "Concat",     "Flatten",   "Dropout"};
  const std::unique_ptr<Backend> backend = make_cpu_backend();
  for (const char* name : {"resnet50", "vit_tiny_patch16_224", "vit_small_patch14_dinov2", "efficientnet_lite0"}) {
    Graph graph = build_graph(make_config(name));
    run_passes(graph, {});
    for (const Node& node : graph.nodes()) {
      std::vector<Tensor> weights;
      for (const WeightSpec& spec : node.weights) weights.push_back(Tensor::filled(spec.shape, 1));
      const std::vector<Shape> in = graph.input_shapes(node);
      const std::vector<ValueType> types(in.size());
      const auto kernel = backend->prepare({node, in, graph.shape(node.output), types, {}, 1}, std::move(weights));
      if (kernel->implementation() != "eigen") continue;
      EXPECT_TRUE(copying.contains(layer_name(node.layer))) << name << ": " << node.path;
    }
  }
}

// Weights of every tensor that a graph asks for; variances are positive.
WeightStore random_weights(const Graph& graph) {
  Draw draw(1);
  WeightStore store;
  for (const WeightSpec& spec : graph.weight_specs()) {
    const auto fan_in = static_cast<double>(spec.shape.count() / spec.shape[0]);
    Tensor tensor = draw.tensor(spec.shape, spec.shape.rank() == 1 ? 0.2 : 1.7 / std::sqrt(fan_in));
    const bool scale = spec.name.ends_with("running_var") || (spec.shape.rank() == 1 && spec.name.ends_with("weight"));
    for (float& value : tensor.values()) value += scale ? 1.0F : 0.0F;
    store.put(spec.name, std::move(tensor));
  }
  return store;
}

// At least `fewest` of the blocks.
void check_fused_residuals(const std::string& isa, std::int64_t size, std::size_t fewest) {
  const ModelConfig config = make_config("efficientnet_lite0", {{"image_size", size}});
  const std::unique_ptr<Backend> backend = make_cpu_backend({.isa = isa});
  const auto logits = [&](const std::vector<std::string>& taps, int threads, std::size_t& fused) {
    Graph graph = build_graph(config, 2);
    WeightStore weights = random_weights(graph);
    Session session(
        Program::compile(std::move(graph), std::move(weights), *backend, {.taps = taps, .threads = threads}));
    const Program& program = session.program();
    for (std::size_t n = 0; n < program.graph().nodes().size(); ++n) {
      if (program.kernel(n).implementation().starts_with("rows_fused")) ++fused;
    }
    const Tensor pictures = Draw(2).tensor({2, size, size, 3}, 2);
    const ConstView found = session.run(pictures.view());
    return std::vector<float>(found.values().begin(), found.values().end());
  };
  std::size_t fused = 0, hidden = 0, seen = 0;
  const std::vector<float> expected = logits({"blocks.*.act"}, 1, seen);
  EXPECT_EQ(seen, 0U);  // a tap on what lies between keeps the layers apart
  for (const int threads : {1, 2, 3}) EXPECT_TRUE(same_bits(expected, logits({}, threads, fused))) << threads;
  EXPECT_GE(fused, 3 * fewest);
  EXPECT_TRUE(same_bits(expected, logits({"blocks.1.1"}, 2, hidden)));  // the block's own output may be seen
  EXPECT_EQ(3 * hidden, fused);
}
TEST(CpuBackend, FusesInvertedResidualsWithoutChangingABit) {
  check_fused_residuals("auto", 224, 4);
  check_fused_residuals(std::string(cpu::kEmulatedAmx), 112, 1);
}

}  // namespace
}  // namespace tessera
