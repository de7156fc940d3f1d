// Asks the real cuDNN, without a device, for plans of every convolution of every model: the plugin's own graphs, and
// descriptions of devices instead of devices. A plan is no proof that it runs; no plan is a proof that it does not.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cuda/convolution_graph.h"
#include "device/describe.h"
#include "engine/passes.h"
#include "models/registry.h"

namespace tessera {
namespace {

using cuda::ConvolutionShape;

// What cuDNN keeps of a device, from NVIDIA's published tables. Clocks are in kHz.
struct DeviceFacts {
  const char* name;
  int version;  // compute capability times 100 and 10
  int multiprocessors;
  int shared_optin, reserved_shared;  // bytes a block
  int blocks, threads;                // of a multiprocessor
  std::int64_t memory;
  int clock, memory_clock, l2_bytes;
};
constexpr DeviceFacts kDevices[] = {
    {"Tesla T4", 750, 40, 65536, 0, 16, 1024, 15'634'661'376, 1'590'000, 5'001'000, 4 << 20},
    {"NVIDIA A100-SXM4-40GB", 800, 108, 166'912, 1024, 32, 2048, 42'298'834'944, 1'410'000, 1'215'000, 40 << 20},
    {"NVIDIA H100 80GB HBM3", 900, 132, 232'448, 1024, 32, 2048, 84'978'958'336, 1'980'000, 2'619'000, 50 << 20},
};

constexpr TesseraDType kTypes[] = {TESSERA_F32, TESSERA_F16, TESSERA_BF16};
constexpr const char* kTypeNames[] = {"f32", "f16", "bf16"};
constexpr std::int64_t kWorkspace = 256 << 20;

cuda::Descriptor describe(const DeviceFacts& device) {
  const nlohmann::json facts{{"deviceName", device.name},
                             {"deviceVer", device.version},
                             {"multiProcessorCount", device.multiprocessors},
                             {"maxGridSize", {2147483647, 65535, 65535}},
                             {"maxBlockSize", {1024, 1024, 64}},
                             {"regsPerBlock", 65536},
                             {"warpSize", 32},
                             {"maxSharedMemoryPerBlock", 49152},
                             {"maxSharedMemoryPerBlockOptin", device.shared_optin},
                             {"reservedSharedMemoryPerBlock", device.reserved_shared},
                             {"maxRegistersPerSM", 65536},
                             {"maxCtasPerSM", device.blocks},
                             {"maxThreadsPerBlock", 1024},
                             {"maxThreadsPerSM", device.threads},
                             {"pciDeviceId", 0},
                             {"isTccDriver", 0},
                             {"supportCoopLaunch", 1},
                             {"totalGlobalMem", device.memory},
                             {"smClockRateKHz", device.clock},
                             {"memClockRateKHz", device.memory_clock},
                             {"l2CacheSize", device.l2_bytes},
                             {"cudaDeviceId", 0},
                             {"driverVer", 13000}};
  const std::string text = facts.dump();
  cudnnBackendDescriptor_t made = nullptr;
  cuda::check(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &made), "describing a device");
  cuda::Descriptor descriptor(made);
  cuda::check(cudnnBackendSetAttribute(made, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                       static_cast<std::int64_t>(text.size()), text.data()),
              "describing a device");
  cuda::check(cudnnBackendFinalize(made), "describing a device");
  return descriptor;
}

// The convolutions of the fused graph of an architecture that go to cuDNN: depthwise ones have an own kernel.
struct Used {
  ConvolutionShape shape;
  std::string where;  // the first architecture and layer that has it
};
using Distinct = std::map<std::string, Used>;

template <class Array>
std::string text_of(const Array& values) {
  std::string text;
  for (const auto value : values) text += std::to_string(value) + " ";
  return text;
}

void add_convolutions(const Architecture& architecture, std::int64_t batch, Distinct& distinct) {
  Graph graph = build_graph(make_config(architecture.name), batch);
  run_passes(graph, {});
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> in = graph.input_shapes(node);
    // A patch embedding is gathered; its graph is the convolution's, whose output are pixels.
    const auto* const embed = std::get_if<PatchEmbed>(&node.layer);
    const Layer layer = embed == nullptr ? node.layer : Layer(embed->convolution());
    const auto* const conv = std::get_if<Conv2d>(&layer);
    if (conv == nullptr || conv->depthwise(in[0])) continue;
    const LayerDescription description(layer);
    TesseraRequest asked{};
    asked.layer = description.raw();
    asked.inputs[0] = describe_tensor(in[0], DType::kF32);
    asked.output = describe_tensor(layer_output_shape(layer, in), DType::kF32);
    const ConvolutionShape shape = cuda::shape_of(asked, true);
    const std::string key = text_of(asked.inputs[0].size) + text_of(asked.output.size) + layer_attributes(layer) +
                            text_of(shape.padding) + text_of(shape.padding_after) + std::to_string(shape.bias);
    distinct.try_emplace(key, Used{shape, architecture.name + " " + node.path});
  }
}

Distinct all_convolutions(std::int64_t batch) {
  Distinct distinct;
  for (const Architecture& architecture : architectures()) add_convolutions(architecture, batch, distinct);
  return distinct;
}

ConvolutionShape typed(ConvolutionShape shape, TesseraDType type) {
  shape.type = type;
  return shape;
}

// Plans that keep the plugin's rules, at most so many.
std::size_t count_plans(const ConvolutionShape& shape, const cuda::Descriptor& device, std::size_t most) {
  const cuda::ConvolutionGraph graph = cuda::make_convolution_graph(shape, nullptr);
  return cuda::list_plans(graph, shape.type, {.most_workspace = kWorkspace}, most, nullptr, device.get()).size();
}

class PlanCheck : public testing::TestWithParam<std::tuple<DeviceFacts, std::int64_t>> {};

TEST_P(PlanCheck, EveryConvolutionOfEveryModelHasAFusedPlan) {
  const auto& [facts, batch] = GetParam();
  const cuda::Descriptor device = describe(facts);
  const Distinct convolutions = all_convolutions(batch);
  ASSERT_GT(convolutions.size(), 40U);
  for (const TesseraDType type : kTypes) {
    // The negative control: Turing has no bfloat16, and cuDNN knows.
    const bool has_type = type != TESSERA_BF16 || facts.version >= 800;
    std::size_t with_plan = 0;
    for (const auto& [key, used] : convolutions) {
      const std::size_t plans = count_plans(typed(used.shape, type), device, 1);
      with_plan += plans;
      EXPECT_EQ(plans, has_type ? 1U : 0U) << used.where << " in " << kTypeNames[type];
    }
    std::printf("%s, batch %d, %s: %zu of %zu distinct convolutions have a plan\n", facts.name, static_cast<int>(batch),
                kTypeNames[type], with_plan, convolutions.size());
  }
}

std::string check_name(const testing::TestParamInfo<PlanCheck::ParamType>& info) {
  const auto& [facts, batch] = info.param;
  return "sm" + std::to_string(facts.version / 10) + "_batch" + std::to_string(batch);
}
INSTANTIATE_TEST_SUITE_P(All, PlanCheck,
                         testing::Combine(testing::ValuesIn(kDevices), testing::Values<std::int64_t>(1, 64)),
                         check_name);

ConvolutionShape small_convolution() {
  return {.pictures = 1,
          .height = 14,
          .width = 14,
          .channels = 64,
          .out_height = 14,
          .out_width = 14,
          .out_channels = 64,
          .kernel = {3, 3},
          .padding = {1, 1},
          .padding_after = {1, 1},
          .residual = true,
          .bias = true,
          .activation = cuda::Activation::kRelu};
}

TEST(PlanCheckItself, RefusesWrongShapes) {
  EXPECT_NO_THROW(cuda::make_convolution_graph(small_convolution(), nullptr));
  ConvolutionShape wrong = small_convolution();
  wrong.out_height = 13;
  EXPECT_THROW(cuda::make_convolution_graph(wrong, nullptr), cuda::Failure);
  wrong = small_convolution();
  wrong.stride = {2, 2};
  EXPECT_THROW(cuda::make_convolution_graph(wrong, nullptr), cuda::Failure);
  wrong = small_convolution();
  wrong.groups = 3;
  EXPECT_THROW(cuda::make_convolution_graph(wrong, nullptr), cuda::Failure);
}

TEST(PlanCheckItself, PlansOfFloat32KeepOutTensorCoresUnlessTf32IsAskedFor) {
  const cuda::Descriptor device = describe(kDevices[1]);
  const cuda::ConvolutionGraph graph = cuda::make_convolution_graph(small_convolution(), nullptr);
  const auto count = [&](bool tf32) {
    return cuda::list_plans(graph, TESSERA_F32, {.most_workspace = kWorkspace, .tf32 = tf32}, 64, nullptr, device.get())
        .size();
  };
  EXPECT_GT(count(true), count(false));
  EXPECT_GT(count(false), 0U);
}

}  // namespace
}  // namespace tessera
