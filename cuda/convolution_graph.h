#pragma once
// A convolution as a cuDNN operation graph, and the execution plans that cuDNN's heuristics give for it:
//
//   x, w ─▶ convolution ─▶ (+ residual) ─▶ (+ bias) ─▶ (ReLU or ReLU6) ─▶ y          what lies between is float32
//
// The residual stands before the bias: cuDNN has no plan for the other order. Both functions work without a device: the
// graph needs none, and plans can be asked for by a description of one (cuDNN's "device properties").

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/activation.h"
#include "cuda/handles.h"
#include "device/plugin.h"

namespace tessera::cuda {

struct ConvolutionShape {
  std::int64_t pictures = 1, height = 0, width = 0, channels = 0;
  std::int64_t out_height = 0, out_width = 0, out_channels = 0;
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 2> padding{0, 0}, padding_after{0, 0};
  std::int64_t groups = 1;
  TesseraDType type = TESSERA_F32;
  bool residual = false, bias = false;
  Activation activation = Activation::kNone;  // or ReLU, ReLU6
};

// A convolution's request as a graph: with all that cuDNN takes, or (not `fused`) the convolution alone.
ConvolutionShape shape_of(const TesseraRequest& request, bool fused);

using Descriptor = Owned<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor>;

// Names of the tensors, for the pointers that a plan is run with.
enum TensorName : std::int64_t { kX = 'x', kW = 'w', kY = 'y', kResidual = 'r', kBias = 'b' };

// A finalised operation graph with what it is made of.
struct ConvolutionGraph {
  std::vector<Descriptor> parts;
  Descriptor graph;
};
// `handle` may be null where no plan is to be run. Throws Failure for what cuDNN refuses.
ConvolutionGraph make_convolution_graph(const ConvolutionShape& shape, cudnnHandle_t handle);

struct Plan {
  Descriptor plan;
  std::int64_t workspace_bytes = 0;
  std::string name;  // "engine 38": stays the same from run to run
};

struct PlanRules {
  std::int64_t most_workspace = 0;
  bool tf32 = false;   // of float32: products may be rounded to TF32
  bool exact = false;  // no Winograd, no FFT
};

// At most `most` plans that keep the rules, the one expected to be the fastest first, for the device of `handle`, or
// for the one that `device_properties` describes where handle is null. Plans give the same bits in each run.
std::vector<Plan> list_plans(const ConvolutionGraph& graph, TesseraDType type, const PlanRules& rules, std::size_t most,
                             cudnnHandle_t handle, cudnnBackendDescriptor_t device_properties = nullptr);

// Where the operands lie; residual and bias as the graph has them.
struct PlanOperands {
  const void* x = nullptr;
  const void* w = nullptr;
  void* y = nullptr;
  const void* residual = nullptr;
  const void* bias = nullptr;
  void* workspace = nullptr;
};
void run_plan(const Plan& plan, const PlanOperands& operands, cudnnHandle_t handle);

}  // namespace tessera::cuda
