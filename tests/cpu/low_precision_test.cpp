// Kernels in bfloat16 and int8 against the readable forward() of the layers in float32, on operands that were rounded
// beforehand: what is left between the two is the order of the sums, and the rounding of the output.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "cpu/kernels.h"
#include "cpu/patches.h"
#include "engine/passes.h"
#include "models/registry.h"
#include "tests/cpu/random_layer.h"
#include "tests/cpu/run_kernel.h"

namespace tessera {
namespace {

constexpr double kUnit = 1.0 / (1 << 24);

std::vector<CpuOptions> low_options() {
  std::vector<CpuOptions> all;
  for (const std::string& isa : isas_under_test()) {
    for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
      all.push_back({.isa = isa, .exact = false, .precision = precision});
      // Without Winograd: a choice of layers, not of kernels, and so the same in every set.
      if (isa == "avx2") all.push_back({.isa = isa, .exact = true, .precision = precision});
    }
  }
  return all;
}

std::string low_name(const testing::TestParamInfo<CpuOptions>& info) {
  return info.param.isa + (info.param.precision == Precision::kInt8 ? "_int8" : "_as_bf16") +
         (info.param.exact ? "_exact" : "");
}

// What a tensor is after it was stored in that type.
Tensor rounded(const Tensor& tensor, const ValueType& type) {
  GuardedValue stored(tensor, type, 0);
  return to_f32(stored.view());
}

// Weights [O, ...] as the kernels multiply them: bfloat16, or int8 with a scale for each of the O. Where `run` is not
// 0, pairs of neighbours of one sign in each `run` values take 127 steps at most, before they are rounded; they are
// neighbours as the kernels have them, channels innermost.
Tensor rounded_weight(const Tensor& weight, Precision precision, std::size_t run) {
  if (precision == Precision::kBf16) return rounded(weight, {.dtype = DType::kBf16});
  Tensor result = weight.clone();
  const std::int64_t count = weight.view().stride0();
  for (std::int64_t row = 0; row < weight.shape()[0]; ++row) {
    const std::span<float> values(result.data() + row * count, static_cast<std::size_t>(count));
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    const auto pair_fits = [&](float a, float b) {
      if ((a < 0) == (b < 0)) largest = std::max(largest, std::abs(a + b));
    };
    const auto channels = static_cast<std::size_t>(weight.shape()[1]), taps = values.size() / channels;
    const auto value_at = [&](std::size_t k) { return values[k % channels * taps + k / channels]; };
    for (std::size_t k = 0; run != 0 && k + 1 < values.size(); ++k) {
      if (k % run % 2 == 0 && k % run + 1 < run) pair_fits(value_at(k), value_at(k + 1));
    }
    const float scale = largest / 127;
    for (float& value : values) value = scale > 0 ? std::nearbyint(value / scale) * scale : 0;
  }
  return result;
}

ValueType random_type(Draw& draw, const CpuOptions& options, double reach) {
  ValueType type =
      quantisation_of({static_cast<float>(draw.coin() ? -reach : -0.3 * reach), static_cast<float>(reach)});
  if (draw.coin()) return type;  // stored as float32, with a known range
  type.dtype = options.precision == Precision::kInt8 ? DType::kU8 : DType::kBf16;
  return type;
}

// How far an output may be from the reference beyond the rounding of sums: half a step of the type it is kept in.
double storage_error(const ValueType& type, double expected) {
  switch (type.dtype) {
    case DType::kBf16:
      return std::abs(expected) / 256;
    case DType::kU8:
      return type.scale * 0.5001;
    default:
      return 0;
  }
}

// Of what length the runs are in which an implementation, whose instructions hold sums of two products in 16 bits, has
// pairs of weights; 0 for others. A picture's pixels are runs of their own.
std::size_t run_of_pairs(const RandomLayer& random, const std::string& implementation) {
  const auto adds = [&](const cpu::KernelTable& table) {
    return table.int8.pairs && implementation.ends_with(table.int8.name);
  };
  if (implementation.starts_with("depthwise") || std::ranges::none_of(cpu::kernel_tables(), adds)) return 0;
  const std::int64_t channels = random.inputs[0].shape()[-1];
  const auto* conv = std::get_if<Conv2d>(&random.layer);
  const bool by_pixel = conv != nullptr && cpu::PaddedLines::suit(*conv, channels);
  return static_cast<std::size_t>(by_pixel ? channels : random.weights[0].view().stride0());
}

bool has_bf16_or_int8(const std::string& name) {
  return name.find("_bf16") != std::string::npos || name.find("_int8") != std::string::npos;
}

class LowPrecision : public testing::TestWithParam<CpuOptions> {
 protected:
  // At least `fewest` of the layers must get a kernel in low precision.
  void check(RandomLayer (*make)(Draw&), int count, int fewest,
             std::string_view way = way_under_test(GetParam())) const {
    const std::unique_ptr<Backend> backend = make_cpu_backend(GetParam());
    const std::unique_ptr<Backend> reference = make_eigen_backend();
    std::set<std::string> seen;
    int low_kernels = 0;
    count = draws_under_test(GetParam(), count);
    fewest = GetParam().isa == cpu::kEmulatedAmx ? fewest / 20 : fewest;
    for (int seed = 0; seed < count; ++seed) {
      Draw draw(static_cast<std::uint64_t>(seed));
      RandomLayer random = make(draw);
      const KernelTypes types = random_types(draw, random, way);
      // On the steps that a float32 input will be rounded to, so that no value lies half-way between two.
      if (types.in[0].scale > 0) random.inputs[0] = rounded(random.inputs[0], operand_type(types.in[0]));
      SCOPED_TRACE(std::string(layer_name(random.layer)) + " " + layer_attributes(random.layer) + ", input " +
                   to_string(random.inputs[0].shape()) + ", seed " + std::to_string(seed));
      KernelSetting setting{.threads = 1 + seed % 4, .offset = 16 * (seed % 2), .max_batch = 0, .types = types};
      setting.way = way;
      setting.options = &GetParam();
      const KernelRun found = run_kernel(*backend, random.layer, random.inputs, random.weights, setting);
      seen.insert(found.implementation);
      const bool low = has_bf16_or_int8(found.implementation);
      low_kernels += low ? 1 : 0;
      const KernelRun expected = run_rounded(*reference, random, types, found.implementation);
      compare(found, expected, types.out, random.reduction);
    }
    EXPECT_GE(low_kernels, fewest);
    for (const std::string& name : seen) std::printf("%s ", name.c_str());
    std::printf("\n");
  }

  // What a low kernel multiplies of an input. Of few channels AMX multiplies bfloat16, never int8.
  static ValueType operand_type(ValueType stored, Precision precision = GetParam().precision) {
    stored.dtype = precision == Precision::kInt8 ? DType::kU8 : DType::kBf16;
    return stored;
  }

  // Types that the kernel of the layer takes: low ones where the backend would choose them for a chain of such layers.
  KernelTypes random_types(Draw& draw, const RandomLayer& random, std::string_view way) const {
    KernelTypes types;
    const bool plain = std::visit(
        [](const auto& layer) {
          if constexpr (requires { layer.activation; }) return layer.activation < ActivationKind::kSilu;
          return false;
        },
        random.layer);
    const bool grouped = std::holds_alternative<Conv2d>(random.layer) && std::get<Conv2d>(random.layer).groups > 1;
    const bool few = random.inputs[0].shape()[-1] < 8 && way != "low";  // such convolutions may stay in float32
    for (std::size_t i = 0; i < random.inputs.size(); ++i) {
      const bool any = !few && (i == 0 || !grouped);
      types.in.push_back(any ? random_type(draw, GetParam(), 1) : ValueType{});
    }
    if (!few && plain) types.out = random_type(draw, GetParam(), 3);
    return types;
  }

  // The reference on operands rounded as the kernel rounds them: inputs to what they are stored in, those of a low
  // kernel to what it multiplies, and the output clamped to the range it is kept in.
  KernelRun run_rounded(const Backend& reference, const RandomLayer& random, const KernelTypes& types,
                        const std::string& implementation) const {
    const bool low = has_bf16_or_int8(implementation);
    const Precision precision = implementation.find("_bf16") == std::string::npos ? Precision::kInt8 : Precision::kBf16;
    std::vector<Tensor> inputs, weights = clones(random.weights);
    for (std::size_t i = 0; i < random.inputs.size(); ++i) {
      inputs.push_back(rounded(random.inputs[i], types.in[i]));
      if (i == 0 && low) inputs[0] = rounded(inputs[0], operand_type(types.in[0], precision));
    }
    if (low) weights[0] = rounded_weight(weights[0], precision, run_of_pairs(random, implementation));
    KernelRun run = run_kernel(reference, random.layer, inputs, weights);
    if (types.out.dtype == DType::kU8) {
      const auto zero = static_cast<float>(types.out.zero);
      for (float& value : run.output) {
        value = std::clamp(value, -zero * types.out.scale, (255 - zero) * types.out.scale);
      }
    }
    return run;
  }

  static void compare(const KernelRun& found, const KernelRun& expected, const ValueType& type, double reduction) {
    // As in random_layers_test.cpp, and twice that: the scales are multiplied in one rounding more.
    const double unit = std::max(2.0, widening(found.implementation)) * 4 * (std::sqrt(reduction) + 4) * kUnit;
    ASSERT_EQ(found.output.size(), expected.output.size());
    for (std::size_t i = 0; i < found.output.size(); ++i) {
      const double value = expected.output[i];
      ASSERT_NEAR(found.output[i], value, unit * (1 + std::abs(value)) + storage_error(type, value))
          << found.implementation << " at " << i;
    }
  }
};

// First convolutions: of a picture with few channels.
RandomLayer random_first_conv(Draw& draw) {
  Conv2d conv{.out_channels = draw.between(1, 70)};
  conv.kernel = {draw.between(1, 7), draw.between(2, 7)};
  conv.stride = {draw.between(1, 3), draw.between(1, 3)};
  conv.dilation = {draw.between(1, 2), 1};
  conv.padding_same = draw.coin();
  conv.padding = {draw.between(0, 3), draw.between(0, 3)};
  conv.bias = draw.coin();
  conv.activation = draw.one_of<ActivationKind>();
  const std::int64_t channels = draw.coin() ? 3 : draw.between(1, 8);
  const Shape x{draw.between(1, 3), draw.between(13, 30), draw.between(9, 80), channels};
  return random_product(conv, x, draw.between(0, 3) == 0, draw);
}

// Depthwise convolutions as networks have them, wide enough for every block of channels.
RandomLayer random_depthwise(Draw& draw) {
  const std::int64_t channels = draw.between(8, 170);
  Conv2d conv{.out_channels = channels};
  conv.kernel = {draw.between(1, 6), 3 + 2 * draw.between(0, 1)};
  conv.stride = {draw.between(1, 2), draw.between(1, 2)};
  conv.padding_same = draw.coin();
  conv.padding = {draw.between(0, 3), draw.between(0, 3)};
  conv.groups = channels;
  conv.bias = draw.coin();
  conv.activation = draw.coin() ? ActivationKind::kRelu6 : draw.one_of<ActivationKind>();
  const Shape x{draw.between(1, 2), draw.between(9, 20), draw.between(9, 30), channels};
  return random_product(conv, x, draw.between(0, 3) == 0, draw);
}

TEST_P(LowPrecision, DepthwiseConvolutions) {
  // In bfloat16 they multiply floats.
  check(&random_depthwise, 120, GetParam().precision == Precision::kInt8 ? 40 : 0);
}
TEST_P(LowPrecision, Convolutions) { check(&random_layer<Conv2d>, 120, 41); }
TEST_P(LowPrecision, FirstConvolutions) { check(&random_first_conv, 60, 60, "low"); }
TEST_P(LowPrecision, LinearLayers) { check(&random_layer<Linear>, 60, 21); }

// Weights and values as large as they can be: what 16 bits hold on the way must hold them.
RandomLayer random_extremes(Draw& draw) {
  const std::int64_t features = draw.between(8, 300);
  const Linear linear{.out_features = draw.between(20, 90), .bias = false};
  RandomLayer made = random_product(linear, {1, draw.between(1, 40), features}, false, draw);
  for (float& value : made.inputs[0].values()) value = draw.between(0, 9) == 0 ? -1.0F : 1.0F;
  const bool mixed = draw.coin();
  for (std::int64_t row = 0; row < made.weights[0].shape()[0]; ++row) {
    const float sign = draw.coin() ? 1.0F : -1.0F;
    for (std::int64_t k = 0; k < features; ++k) {
      made.weights[0].data()[row * features + k] = mixed && draw.coin() ? -sign : sign;
    }
  }
  return made;
}
TEST_P(LowPrecision, Extremes) { check(&random_extremes, 40, 1); }

TEST_P(LowPrecision, DoNotDependOnThreadsOrPlaceInTheBatch) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(GetParam());
  for (int seed = 0; seed < 32; ++seed) {
    Draw draw(static_cast<std::uint64_t>(seed + 1000));
    const bool first = seed % 5 == 4;
    const RandomLayer random = first           ? random_first_conv(draw)
                               : seed % 2 == 0 ? random_layer<Conv2d>(draw)
                                               : random_layer<Linear>(draw);
    const std::string_view way = first ? "low" : way_under_test(GetParam());
    const KernelTypes types = random_types(draw, random, way);
    SCOPED_TRACE(std::string(layer_name(random.layer)) + " " + layer_attributes(random.layer) + ", seed " +
                 std::to_string(seed));
    KernelSetting setting{.threads = 1, .types = types, .way = way, .options = &GetParam()};
    const KernelRun alone = run_kernel(*backend, random.layer, random.inputs, random.weights, setting);
    setting.threads = 3;
    const KernelRun thrice = run_kernel(*backend, random.layer, repeated(random.inputs, 3), random.weights, setting);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto part = std::span(thrice.output).subspan(i * alone.output.size(), alone.output.size());
      EXPECT_TRUE(same_bits(alone.output, part)) << alone.implementation << ", copy " << i;
    }
  }
}

TEST_P(LowPrecision, PoolingAndNormsReadAndWriteAnyType) {
  const CpuOptions& options = GetParam();
  const std::unique_ptr<Backend> backend = make_cpu_backend(options);
  const std::unique_ptr<Backend> reference = make_eigen_backend();
  const ValueType f32 = quantisation_of({-3, 3});
  ValueType low = f32;
  low.dtype = options.precision == Precision::kInt8 ? DType::kU8 : DType::kBf16;
  struct Case {
    Layer layer;
    std::vector<ValueType> in, out;
  };
  const std::vector<Case> cases{
      {Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .padding = 1}, {f32, low}, {f32, low}},
      {GlobalAveragePool{}, {f32, low}, {f32}},
      {LayerNorm{}, {f32}, {f32, low}}};
  for (const Case& c : cases) {
    for (const ValueType& in : c.in) {
      for (const ValueType& out : c.out) {
        Draw draw(7);
        const RandomLayer random = with_values({c.layer, {{2, 9, 7, 37}}}, draw, 2.5);
        const KernelTypes types{{in}, out};
        const KernelRun found =
            run_kernel(*backend, random.layer, random.inputs, random.weights, {.threads = 2, .types = types});
        compare(found, run_rounded(*reference, random, types, ""), out, random.reduction);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, LowPrecision, testing::ValuesIn(low_options()), low_name);

// A layer that has too many taps to be multiplied in few bits goes by AMX in float32, and what it reads may be kept in
// few bits all the same.
TEST(AmxInFloat32, ReadsValuesOfAnyType) {
  const CpuOptions options{.isa = std::string(cpu::kEmulatedAmx), .precision = Precision::kBf16};
  const std::unique_ptr<Backend> backend = make_cpu_backend(options);
  Draw draw(3);
  const Conv2d conv{.out_channels = 20, .kernel = 9, .padding = 4};
  const RandomLayer random = random_product(conv, {2, 11, 12, 8}, false, draw);
  const ValueType low{.dtype = DType::kBf16};
  const std::vector<Tensor> inputs = [&] {
    std::vector<Tensor> made;
    made.push_back(rounded(random.inputs[0], low));
    return made;
  }();
  const KernelRun expected = run_kernel(*make_eigen_backend(), random.layer, inputs, random.weights);
  KernelSetting setting{.threads = 2, .types = {{low}, {}}, .way = "amx", .options = &options};
  const KernelRun found = run_kernel(*backend, random.layer, inputs, random.weights, setting);
  ASSERT_EQ(found.implementation, "indirect_f32_amx");
  const double unit = widening(found.implementation) * 4 * (std::sqrt(random.reduction) + 4) * kUnit;
  for (std::size_t i = 0; i < found.output.size(); ++i) {
    ASSERT_NEAR(found.output[i], expected.output[i], unit * (1 + std::abs(expected.output[i]))) << i;
  }
}

// Every instruction set rounds to bfloat16 and uint8 alike, and as the scalar rule says.
TEST(Codec, RoundsAsTheDefinition) {
  std::vector<float> values;
  for (std::uint32_t upper = 0; upper < 0x10000; upper += 7) {
    for (const std::uint32_t lower : {0U, 1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      const float value = std::bit_cast<float>(upper << 16 | lower);
      if (!std::isnan(value)) values.push_back(value);
    }
  }
  const auto count = static_cast<std::int64_t>(values.size());
  const Tensor tensor = Tensor::from(values, {count});
  for (const ValueType& type : {ValueType{.dtype = DType::kBf16}, ValueType{DType::kU8, 0.037F, 91}}) {
    GuardedValue expected(tensor, type, 0);
    for (const cpu::KernelTable& table : cpu::kernel_tables()) {
      std::vector<std::byte> found(static_cast<std::size_t>(count * bytes_of(type.dtype)));
      table.encode(values.data(), found.data(), type, count);
      std::vector<float> back(values.size());
      table.decode(found.data(), type, back.data(), count);
      const Tensor read = to_f32(expected.view());
      for (std::size_t i = 0; i < values.size(); ++i) {
        // The kernels multiply by 1 / scale where the test divides: at a tie they may differ by a step.
        const double near = type.dtype == DType::kU8 ? type.scale * 1.0001 : 0.0;
        if (std::isinf(read.data()[i])) {
          ASSERT_EQ(back[i], read.data()[i]) << table.isa;
        } else {
          ASSERT_NEAR(back[i], read.data()[i], near) << table.isa << ": " << values[i];
        }
      }
    }
  }
}

TEST(Codec, KeepsNaNInBfloat16) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::uint32_t bits[] = {0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, std::bit_cast<std::uint32_t>(nan)};
  for (const cpu::KernelTable& table : cpu::kernel_tables()) {
    for (const std::uint32_t pattern : bits) {
      const float value = std::bit_cast<float>(pattern);
      std::uint16_t stored = 0;
      float back = 0;
      table.encode(&value, reinterpret_cast<std::byte*>(&stored), {.dtype = DType::kBf16}, 1);
      table.decode(reinterpret_cast<const std::byte*>(&stored), {.dtype = DType::kBf16}, &back, 1);
      EXPECT_TRUE(std::isnan(back)) << table.isa;
    }
  }
}

// Values between layers that can read them are kept in few bits; the picture, the logits and what other layers read
// are not.
TEST(LowPrecisionTypes, AreChosenByWriterAndReaders) {
  Graph graph = build_graph(make_config("resnet50"));
  run_passes(graph, {});
  // All but the average, the logits and, without AMX, the first convolution.
  const std::string without_amx = cpu_isas().back();
  const std::pair<std::string_view, std::size_t> kept_in_f32[] = {{without_amx, 3}, {cpu::kEmulatedAmx, 2}};
  for (const auto& [isa, kept] : kept_in_f32) {
    const CpuOptions options{.isa = std::string(isa), .precision = Precision::kBf16};
    const auto types = make_cpu_backend(options)->choose_types(graph);
    const auto dtype_of = [&](ValueId id) { return types[static_cast<std::size_t>(id)].dtype; };
    std::size_t low = 0;
    for (const Node& node : graph.nodes()) low += dtype_of(node.output) == DType::kBf16 ? 1 : 0;
    EXPECT_EQ(low, graph.nodes().size() - kept);
    EXPECT_EQ(dtype_of(graph.input_id()), DType::kF32);
    EXPECT_EQ(dtype_of(graph.output_id()), DType::kF32);
  }
  // Without ranges there is nothing to quantise by.
  for (const ValueType& type : make_cpu_backend({.precision = Precision::kInt8})->choose_types(graph)) {
    EXPECT_EQ(type.dtype, DType::kF32);
  }
}

}  // namespace
}  // namespace tessera
