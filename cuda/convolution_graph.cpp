#include "cuda/convolution_graph.h"

#include <algorithm>
#include <utility>

#include "cuda/windows.h"

namespace tessera::cuda {

namespace {

constexpr const char* kDescribing = "describing a convolution to cuDNN";

Descriptor make(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t made = nullptr;
  check(cudnnBackendCreateDescriptor(type, &made), kDescribing);
  return Descriptor(made);
}

void set(const Descriptor& descriptor, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
         std::int64_t count, const void* values) {
  check(cudnnBackendSetAttribute(descriptor.get(), name, type, count, values), kDescribing);
}
void set_descriptor(const Descriptor& descriptor, cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value) {
  set(descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, static_cast<const void*>(&value));
}
void set_numbers(const Descriptor& descriptor, cudnnBackendAttributeName_t name,
                 const std::array<std::int64_t, 2>& values) {
  set(descriptor, name, CUDNN_TYPE_INT64, 2, values.data());
}
void finalize(const Descriptor& descriptor) { check(cudnnBackendFinalize(descriptor.get()), kDescribing); }

cudnnDataType_t cudnn_type(TesseraDType type) {
  return type == TESSERA_F32 ? CUDNN_DATA_FLOAT : type == TESSERA_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
}

// [N, C, H, W] as cuDNN names it, with the channels innermost in memory.
struct TensorShape {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
};

Descriptor make_tensor(std::int64_t name, const TensorShape& shape, cudnnDataType_t type, bool is_virtual) {
  Descriptor tensor = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const std::array<std::int64_t, 4> sizes{shape.n, shape.c, shape.h, shape.w};
  const std::array<std::int64_t, 4> steps{shape.h * shape.w * shape.c, 1, shape.w * shape.c, shape.c};
  constexpr std::int64_t kAlignment = 16;
  set(tensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, sizes.data());
  set(tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, steps.data());
  set(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &name);
  set(tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &kAlignment);
  if (is_virtual) set(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
  finalize(tensor);
  return tensor;
}

// Collects descriptors and chains operations: each reads what the one before wrote.
class Builder {
 public:
  explicit Builder(const ConvolutionShape& shape)
      : shape_(shape), out_{shape.pictures, shape.out_channels, shape.out_height, shape.out_width} {
    left_ = (shape.residual ? 1 : 0) + (shape.bias ? 1 : 0) + (shape.activation != Activation::kNone ? 1 : 0);
  }

  ConvolutionGraph build(cudnnHandle_t handle) {
    convolution();
    if (shape_.residual) add(kResidual, out_);
    if (shape_.bias) add(kBias, {1, shape_.out_channels, 1, 1});
    if (shape_.activation != Activation::kNone) activation();
    Descriptor graph = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
        static_cast<std::int64_t>(operations_.size()), static_cast<const void*>(operations_.data()));
    if (handle != nullptr) {
      set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, static_cast<const void*>(&handle));
    }
    finalize(graph);
    return {std::move(parts_), std::move(graph)};
  }

 private:
  cudnnBackendDescriptor_t keep(Descriptor descriptor) { return parts_.emplace_back(std::move(descriptor)).get(); }

  cudnnBackendDescriptor_t tensor(TensorName name, const TensorShape& shape) {
    return keep(make_tensor(name, shape, cudnn_type(shape_.type), false));
  }

  // What the next operation writes: y after the last one.
  cudnnBackendDescriptor_t next_output() {
    if (left_-- == 0) return tensor(kY, out_);
    return keep(make_tensor(next_virtual_++, out_, CUDNN_DATA_FLOAT, true));
  }

  void convolution() {
    Descriptor layer = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    constexpr cudnnDataType_t kCompute = CUDNN_DATA_FLOAT;
    constexpr cudnnConvolutionMode_t kMode = CUDNN_CROSS_CORRELATION;
    constexpr std::int64_t kSpatial = 2;
    set(layer, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &kCompute);
    set(layer, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &kMode);
    set(layer, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &kSpatial);
    set_numbers(layer, CUDNN_ATTR_CONVOLUTION_DILATIONS, shape_.dilation);
    set_numbers(layer, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape_.stride);
    set_numbers(layer, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, shape_.padding);
    set_numbers(layer, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, shape_.padding_after);
    finalize(layer);

    Descriptor operation = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    constexpr float kAlpha = 1, kBeta = 0;
    set_descriptor(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, keep(std::move(layer)));
    set_descriptor(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                   tensor(kX, {shape_.pictures, shape_.channels, shape_.height, shape_.width}));
    set_descriptor(
        operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
        tensor(kW, {shape_.out_channels, shape_.channels / shape_.groups, shape_.kernel[0], shape_.kernel[1]}));
    set_descriptor(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, current_ = next_output());
    set(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &kAlpha);
    set(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &kBeta);
    append(std::move(operation));
  }

  void add(TensorName name, const TensorShape& shape) {
    Descriptor layer = make_pointwise(CUDNN_POINTWISE_ADD);
    finalize(layer);
    append_pointwise(std::move(layer), tensor(name, shape));
  }

  void activation() {
    Descriptor layer = make_pointwise(CUDNN_POINTWISE_RELU_FWD);
    constexpr double kSix = 6;
    if (shape_.activation == Activation::kRelu6) {
      set(layer, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, 1, &kSix);
    }
    finalize(layer);
    append_pointwise(std::move(layer), nullptr);
  }

  static Descriptor make_pointwise(cudnnPointwiseMode_t mode) {
    Descriptor layer = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    constexpr cudnnDataType_t kCompute = CUDNN_DATA_FLOAT;
    set(layer, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(layer, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &kCompute);
    return layer;
  }

  void append_pointwise(Descriptor layer, cudnnBackendDescriptor_t operand) {
    Descriptor operation = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_descriptor(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, keep(std::move(layer)));
    set_descriptor(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, current_);
    if (operand != nullptr) set_descriptor(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, operand);
    set_descriptor(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, current_ = next_output());
    append(std::move(operation));
  }

  void append(Descriptor operation) {
    finalize(operation);
    operations_.push_back(keep(std::move(operation)));
  }

  const ConvolutionShape& shape_;
  TensorShape out_;
  int left_;
  std::int64_t next_virtual_ = 1000;
  cudnnBackendDescriptor_t current_ = nullptr;
  std::vector<Descriptor> parts_;
  std::vector<cudnnBackendDescriptor_t> operations_;
};

// Engine configurations for the graph, best first; none where the mode has none for it.
std::vector<Descriptor> configurations(const ConvolutionGraph& graph, cudnnBackendHeurMode_t mode,
                                       cudnnBackendDescriptor_t device_properties) {
  constexpr std::int64_t kMost = 32;
  const Descriptor heuristic = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  set_descriptor(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph.get());
  set(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (device_properties != nullptr) {
    set_descriptor(heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device_properties);
  }
  if (cudnnBackendFinalize(heuristic.get()) != CUDNN_STATUS_SUCCESS) return {};
  std::vector<Descriptor> found;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < kMost; ++i) {
    raw.push_back(found.emplace_back(make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)).get());
  }
  std::int64_t count = 0;
  const cudnnStatus_t status =
      cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost,
                               &count, static_cast<void*>(raw.data()));
  found.resize(status == CUDNN_STATUS_SUCCESS ? static_cast<std::size_t>(count) : 0);
  return found;
}

// The engine of a configuration: what it is called and how it computes.
struct Engine {
  std::int64_t index = -1;
  std::vector<cudnnBackendNumericalNote_t> notes;
  bool has(cudnnBackendNumericalNote_t note) const { return std::ranges::find(notes, note) != notes.end(); }
};

Engine engine_of(const Descriptor& configuration) {
  Engine engine;
  const Descriptor descriptor = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = descriptor.get();
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                 &count, static_cast<void*>(&raw)),
        "reading an engine");
  check(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &engine.index),
        "reading an engine");
  engine.notes.resize(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  count = 0;
  check(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                 CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, engine.notes.data()),
        "reading an engine");
  engine.notes.resize(static_cast<std::size_t>(count));
  return engine;
}

bool keeps_rules(const Engine& engine, TesseraDType type, const PlanRules& rules) {
  if (engine.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  if (engine.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return false;
  if (rules.exact && (engine.has(CUDNN_NUMERICAL_NOTE_WINOGRAD) || engine.has(CUDNN_NUMERICAL_NOTE_FFT))) return false;
  if (type != TESSERA_F32) return true;
  // Tensor cores take float32 as TF32 only.
  return rules.tf32 ||
         !(engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || engine.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
}

// Null where cuDNN cannot make the plan after all: heuristics may offer what a device does not have.
Descriptor make_plan(const Descriptor& configuration, cudnnHandle_t handle,
                     cudnnBackendDescriptor_t device_properties) {
  Descriptor plan = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (handle != nullptr) {
    set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, static_cast<const void*>(&handle));
  } else {
    set_descriptor(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device_properties);
  }
  set_descriptor(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration.get());
  return cudnnBackendFinalize(plan.get()) == CUDNN_STATUS_SUCCESS ? std::move(plan) : nullptr;
}

std::int64_t workspace_of(const Descriptor& plan) {
  std::int64_t bytes = 0, count = 0;
  check(cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                                 &bytes),
        "reading a plan");
  return bytes;
}

}  // namespace

ConvolutionShape shape_of(const TesseraRequest& request, bool fused) {
  const Convolution layer = convolution_of(request);
  const TesseraTensor &x = request.inputs[0], &y = request.output;
  ConvolutionShape shape{.pictures = x.size[0],
                         .height = x.size[1],
                         .width = x.size[2],
                         .channels = x.size[3],
                         .out_height = y.size[1],
                         .out_width = y.size[2],
                         .out_channels = y.size[3],
                         .kernel = layer.kernel,
                         .stride = layer.stride,
                         .dilation = layer.dilation,
                         .padding = layer.padding,
                         .padding_after = layer.padding_after,
                         .groups = layer.groups,
                         .type = static_cast<TesseraDType>(y.dtype)};
  if (!fused) return shape;
  shape.residual = layer.residual;
  shape.bias = layer.bias;
  if (layer.activation == Activation::kRelu || layer.activation == Activation::kRelu6) {
    shape.activation = layer.activation;
  }
  return shape;
}

ConvolutionGraph make_convolution_graph(const ConvolutionShape& shape, cudnnHandle_t handle) {
  return Builder(shape).build(handle);
}

std::vector<Plan> list_plans(const ConvolutionGraph& graph, TesseraDType type, const PlanRules& rules, std::size_t most,
                             cudnnHandle_t handle, cudnnBackendDescriptor_t device_properties) {
  std::vector<Plan> plans;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const Descriptor& configuration : configurations(graph, mode, device_properties)) {
      if (plans.size() == most) return plans;
      const Engine engine = engine_of(configuration);
      if (!keeps_rules(engine, type, rules)) continue;
      Descriptor plan = make_plan(configuration, handle, device_properties);
      if (plan == nullptr) continue;
      const std::int64_t workspace = workspace_of(plan);
      if (workspace > rules.most_workspace) continue;
      std::string name = "engine " + std::to_string(engine.index);
      const auto same = std::ranges::count_if(
          plans, [&](const Plan& other) { return other.name == name || other.name.starts_with(name + " ("); });
      if (same > 0) name += " (" + std::to_string(same + 1) + ")";  // with other settings
      plans.push_back({std::move(plan), workspace, std::move(name)});
    }
  }
  return plans;
}

void run_plan(const Plan& plan, const PlanOperands& operands, cudnnHandle_t handle) {
  std::vector<std::int64_t> names{kX, kW, kY};
  std::vector<const void*> addresses{operands.x, operands.w, operands.y};
  if (operands.residual != nullptr) {
    names.push_back(kResidual);
    addresses.push_back(operands.residual);
  }
  if (operands.bias != nullptr) {
    names.push_back(kBias);
    addresses.push_back(operands.bias);
  }
  const Descriptor pack = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const auto count = static_cast<std::int64_t>(names.size());
  set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count,
      static_cast<const void*>(addresses.data()));
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, names.data());
  set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, static_cast<const void*>(&operands.workspace));
  finalize(pack);
  check(cudnnBackendExecute(handle, plan.plan.get(), pack.get()), "running a convolution");
}

}  // namespace tessera::cuda
