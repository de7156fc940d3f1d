#include "tests/cuda/emulated/dnn_descriptor.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "tests/cuda/emulated/fault.h"

namespace tessera::emulated {

namespace {

std::optional<Type> type_of(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_FLOAT:
      return Type::kF32;
    case CUDNN_DATA_HALF:
      return Type::kF16;
    case CUDNN_DATA_BFLOAT16:
      return Type::kBf16;
    default:
      return std::nullopt;
  }
}

cudnnStatus_t finalize_tensor(Descriptor& descriptor) {
  DnnTensor& tensor = descriptor.tensor;
  const auto type = type_of(descriptor.value(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_BOOLEAN));
  tensor.size = descriptor.numbers(CUDNN_ATTR_TENSOR_DIMENSIONS);
  tensor.step = descriptor.numbers(CUDNN_ATTR_TENSOR_STRIDES);
  const bool complete = type && tensor.size.size() >= 3 && tensor.size.size() == tensor.step.size() &&
                        descriptor.find(CUDNN_ATTR_TENSOR_UNIQUE_ID) != nullptr &&
                        descriptor.find(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT) != nullptr;
  if (!complete) return CUDNN_STATUS_BAD_PARAM;
  const auto positive = [](std::int64_t value) { return value > 0; };
  if (!std::ranges::all_of(tensor.size, positive) || !std::ranges::all_of(tensor.step, positive)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  tensor.type = *type;
  tensor.name = descriptor.value(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{0});
  tensor.alignment = descriptor.value(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{1});
  tensor.is_virtual = descriptor.value(CUDNN_ATTR_TENSOR_IS_VIRTUAL, false);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_convolution(const Descriptor& descriptor) {
  const std::int64_t spatial = descriptor.value(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{0});
  if (spatial != 2) return CUDNN_STATUS_NOT_SUPPORTED;
  for (const auto name : {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                          CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS}) {
    if (descriptor.numbers(name).size() != 2) return CUDNN_STATUS_BAD_PARAM;
  }
  const auto mode = descriptor.value(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CONVOLUTION);
  const auto compute = descriptor.value(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_BOOLEAN);
  const bool known = mode == CUDNN_CROSS_CORRELATION && compute == CUDNN_DATA_FLOAT;
  return known ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

const DnnTensor* tensor_of(const Descriptor& descriptor, cudnnBackendAttributeName_t name) {
  const Descriptor* const found = descriptor.descriptor(name);
  return found == nullptr || found->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR ? nullptr : &found->tensor;
}

cudnnStatus_t finalize_convolution_operation(Descriptor& descriptor) {
  const DnnTensor* const x = tensor_of(descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X);
  const DnnTensor* const w = tensor_of(descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
  const DnnTensor* const y = tensor_of(descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
  const Descriptor* const layer = descriptor.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
  if (x == nullptr || w == nullptr || y == nullptr || layer == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const bool plain = descriptor.value(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 0.0F) == 1.0F &&
                     descriptor.value(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 1.0F) == 0.0F;
  require(plain, "the emulated cuDNN knows convolutions of alpha 1 and beta 0 alone");
  if (x->size.size() != 4 || w->size.size() != 4 || y->size.size() != 4) return CUDNN_STATUS_NOT_SUPPORTED;
  DnnOperation& operation = descriptor.operation;
  operation.convolution = operation.has_w = true;
  operation.x = *x, operation.w = *w, operation.y = *y;
  const auto after = layer->numbers(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  bool matches = x->size[0] == y->size[0] && w->size[0] == y->size[1] && x->size[1] % w->size[1] == 0 &&
                 w->size[0] % (x->size[1] / w->size[1]) == 0;
  for (std::size_t i = 0; i < 2; ++i) {
    operation.geometry.stride[i] = layer->numbers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)[i];
    operation.geometry.before[i] = layer->numbers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)[i];
    operation.geometry.dilation[i] = layer->numbers(CUDNN_ATTR_CONVOLUTION_DILATIONS)[i];
    const std::int64_t seen = operation.geometry.dilation[i] * (w->size[i + 2] - 1) + 1;
    const std::int64_t span = x->size[i + 2] + operation.geometry.before[i] + after[i] - seen;
    matches = matches && span >= 0 && y->size[i + 2] == span / operation.geometry.stride[i] + 1;
  }
  return matches ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
}

bool broadcasts(const DnnTensor& from, const DnnTensor& to) {
  if (from.size.size() != to.size.size()) return false;
  for (std::size_t i = 0; i < from.size.size(); ++i) {
    if (from.size[i] != to.size[i] && from.size[i] != 1) return false;
  }
  return true;
}

cudnnStatus_t finalize_pointwise_operation(Descriptor& descriptor) {
  const Descriptor* const layer = descriptor.descriptor(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
  const DnnTensor* const x = tensor_of(descriptor, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
  const DnnTensor* const b = tensor_of(descriptor, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  const DnnTensor* const y = tensor_of(descriptor, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  if (layer == nullptr || x == nullptr || y == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  DnnOperation& operation = descriptor.operation;
  operation.mode = layer->value(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_IDENTITY);
  const bool sum = operation.mode == CUDNN_POINTWISE_ADD;
  require(sum || operation.mode == CUDNN_POINTWISE_RELU_FWD, "the emulated cuDNN knows sums and ReLU alone");
  if (sum != (b != nullptr)) return CUDNN_STATUS_BAD_PARAM;
  if (x->size != y->size || (sum && !broadcasts(*b, *y))) return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  operation.x = *x, operation.y = *y;
  operation.has_w = sum;
  if (sum) operation.w = *b;
  operation.low = static_cast<float>(layer->value(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0.0));
  operation.clipped = layer->find(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP) != nullptr;
  operation.high = static_cast<float>(layer->value(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 0.0));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_graph(Descriptor& descriptor) {
  const Attribute* const operations = descriptor.find(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (operations == nullptr || operations->descriptors.empty()) return CUDNN_STATUS_BAD_PARAM;
  for (const DescriptorPointer& operation : operations->descriptors) descriptor.graph.push_back(operation->operation);
  std::vector<std::int64_t> written, names;
  for (const DnnOperation& operation : descriptor.graph) {
    const auto exists = [&](const DnnTensor& tensor) {
      return !tensor.is_virtual || std::ranges::find(written, tensor.name) != written.end();
    };
    if (!exists(operation.x) || (operation.has_w && !exists(operation.w))) return CUDNN_STATUS_BAD_PARAM;
    if (std::ranges::find(written, operation.y.name) != written.end()) return CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES;
    written.push_back(operation.y.name);
  }
  return descriptor.graph.back().y.is_virtual ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_SUCCESS;
}

// convolution (+ residual) (+ bias) (ReLU), in that order: a full tensor is not added after a bias.
bool has_plans(const std::vector<DnnOperation>& graph) {
  if (!graph.front().convolution) return false;
  int stage = 0;
  for (std::size_t i = 1; i < graph.size(); ++i) {
    const DnnOperation& operation = graph[i];
    if (operation.convolution || operation.x.name != graph[i - 1].y.name) return false;
    const bool full = operation.has_w && operation.w.count() == operation.y.count();
    const int next = operation.mode == CUDNN_POINTWISE_RELU_FWD ? 3 : full && stage == 0 ? 1 : 2;
    if (next <= stage ||
        (full && next != 1 && operation.w.size != std::vector<std::int64_t>{1, operation.y.size[1], 1, 1})) {
      return false;
    }
    stage = next;
  }
  return true;
}

bool device_has(Type type) {
  int major = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  return type != Type::kBf16 || major >= 8;
}

// The engines that a heuristic offers: among them one that no plan can be made of, and some that a caller who wants
// float32 or the same bits each time has to leave out.
cudnnStatus_t finalize_heuristic(Descriptor& descriptor) {
  const Descriptor* const graph = descriptor.descriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  if (graph == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  descriptor.graph = graph->graph;
  const DnnOperation& first = graph->graph.front();
  if (!has_plans(graph->graph) || !device_has(first.x.type)) return CUDNN_STATUS_NOT_SUPPORTED;
  if (descriptor.value(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_A) == CUDNN_HEUR_MODE_FALLBACK) {
    descriptor.engines = {{.index = 1, .notes = {}, .workspace = 0, .finalizes = true}};
    return CUDNN_STATUS_SUCCESS;
  }
  std::vector<cudnnBackendNumericalNote_t> tensor_core{CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  if (first.x.type == Type::kF32) tensor_core.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  descriptor.engines = {
      {.index = 38, .notes = tensor_core, .workspace = 4096, .finalizes = true},
      {.index = 7, .notes = {}, .workspace = 0, .finalizes = false},
      {.index = 12, .notes = {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}, .workspace = 0, .finalizes = true},
      {.index = 0, .notes = {}, .workspace = 1 << 16, .finalizes = true},
      {.index = 5, .notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, .workspace = 0, .finalizes = true},
      {.index = 1, .notes = {}, .workspace = 0, .finalizes = true},
  };
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_plan(Descriptor& descriptor) {
  const Descriptor* const configuration = descriptor.descriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  if (configuration == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  descriptor.graph = configuration->graph;
  descriptor.engine = configuration->engine;
  return descriptor.engine.finalizes ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

}  // namespace

std::int64_t DnnTensor::count() const {
  return std::accumulate(size.begin(), size.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t DnnTensor::extent() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < size.size(); ++i) last += (size[i] - 1) * step[i];
  return last + 1;
}

bool DnnEngine::has(cudnnBackendNumericalNote_t note) const { return std::ranges::find(notes, note) != notes.end(); }

const Attribute* Descriptor::find(cudnnBackendAttributeName_t name) const {
  const auto found = attributes.find(name);
  return found == attributes.end() ? nullptr : &found->second;
}

const Descriptor* Descriptor::descriptor(cudnnBackendAttributeName_t name) const {
  const Attribute* const attribute = find(name);
  return attribute == nullptr || attribute->descriptors.size() != 1 ? nullptr : attribute->descriptors[0].get();
}

std::vector<std::int64_t> Descriptor::numbers(cudnnBackendAttributeName_t name) const {
  const Attribute* const attribute = find(name);
  if (attribute == nullptr || attribute->type != CUDNN_TYPE_INT64) return {};
  std::vector<std::int64_t> values(static_cast<std::size_t>(attribute->count));
  std::memcpy(values.data(), attribute->bytes.data(), attribute->bytes.size());
  return values;
}

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    default:
      return 4;
  }
}

cudnnStatus_t finalize(Descriptor& descriptor) {
  switch (descriptor.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      return finalize_tensor(descriptor);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
      return finalize_convolution(descriptor);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return finalize_convolution_operation(descriptor);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return finalize_pointwise_operation(descriptor);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      return finalize_graph(descriptor);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      return finalize_heuristic(descriptor);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      return finalize_plan(descriptor);
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      return CUDNN_STATUS_SUCCESS;
    default:
      fault("the emulated cuDNN does not know descriptor type " + std::to_string(descriptor.type));
  }
}

}  // namespace tessera::emulated
