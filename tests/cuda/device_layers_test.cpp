// Every layer on the plugin's own sources and the emulated device: against PyTorch, and against the readable layers
// over shapes that nobody chose.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/cpu/random_layer.h"
#include "tests/cuda/device_fixture.h"
#include "tests/layers/case_file.h"

namespace tessera {
namespace {

// What float32 sums of so many values may be off, relative to 1 + |value|: as tests/cpu has it.
double float_error(double reduction) { return 4 * (std::sqrt(reduction) + 4) / (1 << 24); }

// Inputs and weights are rounded before both sides take them, so that what is left is: the sums' own error; one
// rounding to the kept type, and one more where a kernel keeps a value between two steps (attention's weights, a
// convolution before its bias); the approximation of GELU (5e-4, where --exact is not given).
double tolerance(DevicePrecision precision, const Layer& layer, double reduction) {
  double roundings = precision == DevicePrecision::kF32 || precision == DevicePrecision::kTf32 ? 0 : 2;
  if (std::holds_alternative<Attention>(layer)) roundings = precision == DevicePrecision::kF32 ? 0 : 4;
  return float_error(reduction) + roundings * 2 * rounding_of(precision);
}

// What the plugin refuses: what the CPU backend alone makes of other layers, and attention that is not plain.
bool is_refused(const Layer& layer, const Shape& x) {
  const auto* const attention = std::get_if<Attention>(&layer);
  if (attention == nullptr) return std::holds_alternative<InvertedResidual>(layer);
  return *attention != Attention{.heads = attention->heads} || x.rank() != 3;
}

std::vector<const LayerCase*> device_cases() {
  std::vector<const LayerCase*> cases;
  for (const LayerCase& c : layer_cases()) {
    if (!is_refused(c.layer, c.inputs[0].shape())) cases.push_back(&c);
  }
  return cases;
}

// Each tensor `times` over along its first dimension.
std::vector<Tensor> repeated(const std::vector<Tensor>& tensors, std::int64_t times) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Shape shape = tensor.shape();
    shape[0] *= times;
    Tensor& copy = result.emplace_back(shape);
    for (std::int64_t i = 0; i < times; ++i) {
      std::ranges::copy(tensor.values(), copy.data() + i * tensor.shape().count());
    }
  }
  return result;
}

// The readable layer on weights as the device has them: what a pass has multiplied something into is rounded after
// that.
std::vector<float> run_reference(DevicePrecision precision, const Layer& layer, const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& weights) {
  std::vector<Tensor> prepared = layer_prepare(layer, clones(weights));
  const std::vector<Shape> in = shapes_of(inputs);
  const auto* const conv = std::get_if<Conv2d>(&layer);
  const auto* const linear = std::get_if<Linear>(&layer);
  const bool multiplies = (conv != nullptr && !conv->depthwise(in[0])) || linear != nullptr;
  if (multiplies) prepared[0] = rounded_to(precision, prepared[0]);
  // cuBLASLt takes a bias in the type of the output.
  const bool short_bias = linear != nullptr && linear->bias && kept_in(precision) != DType::kF32;
  if (short_bias) prepared[1] = rounded_to(precision, prepared[1]);
  const GuardedInputs views(inputs, 0);
  Tensor output(layer_output_shape(layer, in));
  Tensor scratch(Shape{layer_scratch(layer, in, 1)});
  ThreadPool threads(1);
  layer_forward(layer, {views.views, prepared, output.view(), scratch.values(), threads});
  return {output.values().begin(), output.values().end()};
}

class DeviceLayers : public testing::TestWithParam<DevicePrecision> {
 protected:
  DeviceRun run(const Layer& layer, const std::vector<Tensor>& inputs, const std::vector<Tensor>& weights,
                std::int64_t max_batch = 0) const {
    return run_on_device(device_.backend(), layer, inputs, weights, kept_in(GetParam()), max_batch);
  }
  // Compares with the readable layer on the same rounded values.
  void check(const Layer& layer, const std::vector<Tensor>& inputs, const std::vector<Tensor>& weights,
             double reduction) {
    const std::vector<Tensor> x = rounded_to(GetParam(), inputs), w = rounded_to(GetParam(), weights);
    const std::vector<float> expected = run_reference(GetParam(), layer, x, w);
    const DeviceRun found = run(layer, x, w);
    seen_.insert(found.implementation);
    compare(found, expected, tolerance(GetParam(), layer, reduction));
  }
  void compare(const DeviceRun& found, std::span<const float> expected, double unit) {
    ASSERT_EQ(found.output.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double allowed = unit * (1 + std::abs(expected[i]));
      worst_ = std::max(worst_, std::abs(found.output[i] - expected[i]) / allowed);
      ASSERT_NEAR(found.output[i], expected[i], allowed) << found.implementation << " at " << i;
    }
  }
  void check_random(RandomLayer (*make)(Draw&), int count) {
    for (int seed = 0; seed < count; ++seed) {
      Draw draw(static_cast<std::uint64_t>(seed) + 1000);
      const RandomLayer random = make(draw);
      if (is_refused(random.layer, random.inputs[0].shape())) continue;
      SCOPED_TRACE(std::string(layer_name(random.layer)) + " " + layer_attributes(random.layer) + ", input " +
                   to_string(random.inputs[0].shape()) + ", seed " + std::to_string(seed));
      check(random.layer, random.inputs, random.weights, random.reduction);
      if (HasFatalFailure()) return;
    }
  }
  void TearDown() override {
    for (const std::string& name : seen_) std::printf("%s ", name.c_str());
    std::printf("(%.0f %% of the tolerance)\n", 100 * worst_);
  }

  EmulatedDevice device_{GetParam()};
  std::set<std::string> seen_;
  double worst_ = 0;
};

TEST_P(DeviceLayers, CasesMatchPyTorch) {
  for (const LayerCase* c : device_cases()) {
    SCOPED_TRACE(c->name);
    if (GetParam() == DevicePrecision::kF32) {
      const DeviceRun found = run(c->layer, c->inputs, c->weights);
      seen_.insert(found.implementation);
      compare(found, c->output.values(), float_error(static_cast<double>(c->reduction)) / 2);
    } else {
      check(c->layer, c->inputs, c->weights, static_cast<double>(c->reduction));
    }
  }
}

TEST_P(DeviceLayers, DoNotDependOnTheSchedule) {
  for (const LayerCase* c : device_cases()) {
    SCOPED_TRACE(c->name);
    emulated::set_schedule({});
    const DeviceRun forward = run(c->layer, c->inputs, c->weights);
    for (const emulated::Schedule& schedule :
         {emulated::Schedule{emulated::Order::kReverse, 1}, emulated::Schedule{emulated::Order::kShuffled, 3}}) {
      emulated::set_schedule(schedule);
      EXPECT_TRUE(same_bits(forward.output, run(c->layer, c->inputs, c->weights).output)) << forward.implementation;
    }
  }
}

TEST_P(DeviceLayers, DoNotDependOnThePlaceInTheBatch) {
  for (const LayerCase* c : device_cases()) {
    SCOPED_TRACE(c->name);
    const double unit = tolerance(GetParam(), c->layer, static_cast<double>(c->reduction));
    const DeviceRun alone = run(c->layer, c->inputs, c->weights);
    const DeviceRun many = run(c->layer, repeated(c->inputs, 3), c->weights);
    const DeviceRun prepared_for_more = run(c->layer, c->inputs, c->weights, 5 * c->inputs[0].shape()[0]);
    compare(prepared_for_more, alone.output, unit);
    const std::size_t size = alone.output.size();
    ASSERT_EQ(many.output.size(), 3 * size);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto part = many.output.begin() + static_cast<std::ptrdiff_t>(i * size);
      compare({{part, part + static_cast<std::ptrdiff_t>(size)}, many.implementation}, alone.output, unit);
    }
  }
}

TEST_P(DeviceLayers, RandomConvolutions) { check_random(&random_layer<Conv2d>, 120); }
TEST_P(DeviceLayers, RandomLinearLayers) { check_random(&random_layer<Linear>, 60); }
TEST_P(DeviceLayers, RandomAttentions) { check_random(&random_layer<Attention>, 40); }
TEST_P(DeviceLayers, RandomLayersOfEveryType) {
  check_random(&random_of_any_type, 8 * static_cast<int>(std::variant_size_v<Layer>));
}

TEST_P(DeviceLayers, TheirOwnExamples) {
  Draw draw(77);
  for (const LayerExample& example : good_examples()) {
    if (is_refused(example.layer, example.in[0])) continue;
    SCOPED_TRACE(std::string(layer_name(example.layer)) + " " + layer_attributes(example.layer));
    const RandomLayer made = with_values(example, draw);
    check(made.layer, made.inputs, made.weights, made.reduction);
  }
}

// Each by its name and what of it is not done, so that the host can say so.
TEST_P(DeviceLayers, RefusesWhatItDoesNotCompute) {
  Draw draw(3);
  for (const LayerExample& example : good_examples()) {
    if (!is_refused(example.layer, example.in[0])) continue;
    const RandomLayer made = with_values(example, draw);
    try {
      run(made.layer, made.inputs, made.weights);
      ADD_FAILURE() << layer_attributes(made.layer) << " was not refused";
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find("layer: the device has no "), 0U) << message;
      EXPECT_NE(message.find(layer_name(made.layer)), std::string::npos) << message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, DeviceLayers, testing::ValuesIn(kPrecisions), precision_name);

// Each way of computing a convolution, by the name under which a measurement keeps it.
TEST(DeviceConvolutions, EveryWayThatCouldBeChosenIsRight) {
  constexpr const char* kChoices[] = {"fused engine 0", "fused engine 1", "plain engine 0", "plain engine 1",
                                      "gathered"};
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Draw draw(seed);
    const RandomLayer random = random_layer<Conv2d>(draw);
    const std::vector<float> expected = run_layer(random.layer, random.inputs, random.weights, 1);
    const auto run = [&](const DeviceOptions& options) {
      const EmulatedDevice device(options);
      return run_on_device(device.backend(), random.layer, random.inputs, random.weights, DType::kF32);
    };
    std::string key;
    run({.chosen = [&](const std::string& name, const std::string&) { key = name; }});
    if (key.empty()) continue;  // depthwise: there is one way
    for (const char* const choice : kChoices) {
      SCOPED_TRACE(std::string(choice) + ", seed " + std::to_string(seed));
      const DeviceRun found = run({.choices = {{key, choice}}});
      seen.insert(found.implementation);
      ASSERT_EQ(found.output.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(found.output[i], expected[i], float_error(random.reduction) * (1 + std::abs(expected[i])))
            << found.implementation << " at " << i;
      }
    }
  }
  EXPECT_GE(seen.size(), 4U);  // each of the ways was gone
}

}  // namespace
}  // namespace tessera
