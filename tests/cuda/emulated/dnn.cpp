// The part of cuDNN that tessera calls: handles, and the backend interface for convolutions.

#include <cudnn_graph.h>

#include <algorithm>
#include <cstdio>

#include "tests/cuda/emulated/dnn_descriptor.h"
#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/memory.h"
#include "tests/cuda/emulated/stream_state.h"

namespace tessera::emulated {

namespace {

constexpr const char* kHandle = "cuDNN handle";
constexpr const char* kDescriptor = "cuDNN descriptor";

struct Handle {
  cudaStream_t stream = nullptr;
};

// Descriptors by their handle. What one refers to lives on when its handle is destroyed.
std::map<void*, std::shared_ptr<Descriptor>>& descriptors() {
  static auto* const map = new std::map<void*, std::shared_ptr<Descriptor>>;  // outlives static destructors
  return *map;
}

std::shared_ptr<Descriptor> descriptor_of(cudnnBackendDescriptor_t handle) {
  const auto found = descriptors().find(handle);
  require(found != descriptors().end(), "a cuDNN descriptor is used that was destroyed or never created");
  return found->second;
}

struct Execution {
  std::vector<DnnOperation> graph;
  DnnEngine engine;
  std::map<std::int64_t, void*> addresses;
  void* workspace = nullptr;
};

void check_tensor(const Execution& execution, const DnnTensor& tensor) {
  if (tensor.is_virtual) return;
  const auto found = execution.addresses.find(tensor.name);
  const std::string name = "tensor " + std::to_string(tensor.name) + " of a convolution";
  require(found != execution.addresses.end(), name + " is not given");
  require(reinterpret_cast<std::uintptr_t>(found->second) % static_cast<std::uintptr_t>(tensor.alignment) == 0,
          name + " is not aligned to " + std::to_string(tensor.alignment) + " bytes");
  Memory::instance().check_device(found->second, static_cast<std::size_t>(tensor.extent()) * bytes_of(tensor.type),
                                  name);
}

void run(const Execution& execution) {
  for (const DnnOperation& operation : execution.graph) {
    check_tensor(execution, operation.x);
    if (operation.has_w) check_tensor(execution, operation.w);
    check_tensor(execution, operation.y);
  }
  if (execution.engine.workspace > 0) {
    const auto bytes = static_cast<std::size_t>(execution.engine.workspace);
    Memory::instance().check_device(execution.workspace, bytes, "the workspace of a convolution");
    std::memset(execution.workspace, 0xFF, bytes);
  }
  run_graph(execution.graph, execution.engine, execution.addresses);
}

// The read-only attributes that tessera asks for.
template <class Value>
cudnnStatus_t give(const std::vector<Value>& values, std::int64_t requested, std::int64_t* count, void* to) {
  if (count != nullptr) *count = static_cast<std::int64_t>(values.size());
  const auto given = std::min<std::size_t>(values.size(), static_cast<std::size_t>(requested));
  if (to != nullptr) std::copy_n(values.data(), given, static_cast<Value*>(to));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t give_configurations(const Descriptor& heuristic, std::int64_t requested, std::int64_t* count, void* to) {
  const auto found = static_cast<std::int64_t>(heuristic.engines.size());
  const std::int64_t given = std::min(found, requested);
  if (count != nullptr) *count = requested == 0 ? found : given;
  auto* const handles = static_cast<cudnnBackendDescriptor_t*>(to);
  for (std::int64_t i = 0; i < given; ++i) {
    Descriptor& configuration = *descriptor_of(handles[i]);
    require(configuration.type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "results of a heuristic are not configurations");
    configuration.graph = heuristic.graph;
    configuration.engine = heuristic.engines[static_cast<std::size_t>(i)];
    configuration.finalized = true;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t give_engine(const Descriptor& configuration, std::int64_t* count, void* to) {
  Descriptor& engine = *descriptor_of(*static_cast<cudnnBackendDescriptor_t*>(to));
  require(engine.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR, "the engine of a configuration is read into something else");
  engine.engine = configuration.engine;
  engine.finalized = true;
  if (count != nullptr) *count = 1;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

}  // namespace tessera::emulated

using namespace tessera::emulated;  // NOLINT(google-build-using-namespace): C functions cannot lie in it

extern "C" {

std::size_t cudnnGetVersion() { return CUDNN_VERSION; }
const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH:
      return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    default:
      return "a status of the emulated cuDNN";
  }
}
void cudnnGetLastErrorString(char* message, std::size_t bytes) {
  std::snprintf(message, bytes, "the emulated cuDNN keeps no messages");
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  count_handle(kHandle, 1);
  *handle = reinterpret_cast<cudnnHandle_t>(new Handle);  // NOLINT(cppcoreguidelines-owning-memory): the handle owns it
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  count_handle(kHandle, -1);
  delete reinterpret_cast<Handle*>(handle);  // NOLINT(cppcoreguidelines-owning-memory): as above
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  check_stream(stream);
  reinterpret_cast<Handle*>(handle)->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  *stream = reinterpret_cast<Handle*>(handle)->stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* handle) {
  const Lock lock(State::instance().mutex);
  count_handle(kDescriptor, 1);
  auto made = std::make_shared<Descriptor>();
  made->type = type;
  *handle = made.get();
  descriptors().emplace(*handle, std::move(made));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
  const Lock lock(State::instance().mutex);
  descriptor_of(handle);
  count_handle(kDescriptor, -1);
  descriptors().erase(handle);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  const Lock lock(State::instance().mutex);
  Descriptor& descriptor = *descriptor_of(handle);
  if (descriptor.finalized || count < 0 || values == nullptr) return CUDNN_STATUS_BAD_PARAM;
  Attribute attribute{type, count, {}, {}};
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    const auto* const handles = static_cast<const cudnnBackendDescriptor_t*>(values);
    for (std::int64_t i = 0; i < count; ++i) {
      DescriptorPointer part = descriptor_of(handles[i]);
      if (!part->finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
      attribute.descriptors.push_back(std::move(part));
    }
  } else {
    const auto* const bytes = static_cast<const std::byte*>(values);
    attribute.bytes.assign(bytes, bytes + static_cast<std::size_t>(count) * size_of(type));
  }
  descriptor.attributes[name] = std::move(attribute);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  const Lock lock(State::instance().mutex);
  Descriptor& descriptor = *descriptor_of(handle);
  const cudnnStatus_t status = finalize(descriptor);
  descriptor.finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, std::int64_t requested, std::int64_t* count,
                                       void* to) {
  const Lock lock(State::instance().mutex);
  const std::shared_ptr<Descriptor> descriptor = descriptor_of(handle);
  if (!descriptor->finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      return give_configurations(*descriptor, requested, count, to);
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      return give_engine(*descriptor, count, to);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      return give<std::int64_t>({descriptor->engine.index}, requested, count, to);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      return give(descriptor->engine.notes, requested, count, to);
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
      return give<cudnnBackendBehaviorNote_t>({}, requested, count, to);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      return give<std::int64_t>({descriptor->engine.workspace}, requested, count, to);
    default:
      fault("the emulated cuDNN cannot be asked for attribute " + std::to_string(name));
  }
}
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle) {
  const Lock lock(State::instance().mutex);
  const std::shared_ptr<Descriptor> plan = descriptor_of(plan_handle), pack = descriptor_of(pack_handle);
  if (!plan->finalized || !pack->finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  Execution execution{plan->graph, plan->engine, {}, pack->value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr)};
  const auto names = pack->numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const Attribute* const addresses = pack->find(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (addresses == nullptr || addresses->count != static_cast<std::int64_t>(names.size()))
    return CUDNN_STATUS_BAD_PARAM;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::memcpy(&execution.addresses[names[i]], addresses->bytes.data() + i * sizeof(void*), sizeof(void*));
  }
  enqueue(reinterpret_cast<Handle*>(handle)->stream,
          {Operation::Kind::kConvolution, "a convolution", [execution] { run(execution); }, {}});
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
