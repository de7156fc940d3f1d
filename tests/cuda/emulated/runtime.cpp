// The part of libcudart that tessera calls: devices, memory and copies.

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/cuda/emulated/control.h"
#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/memory.h"
#include "tests/cuda/emulated/stream_state.h"

namespace tessera::emulated {

namespace {

struct Device {
  int count = 1;
  int current = 0;
  int capability = 90;
  cudaError_t last_error = cudaSuccess;
};
Device& device() {
  static Device device;
  return device;
}

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) device().last_error = error;
  return error;
}

struct Copy {
  void* to;
  const void* from;
  std::size_t row_bytes, rows, to_pitch, from_pitch;
  cudaMemcpyKind kind;
};

enum class Place : std::uint8_t { kDevice, kPinned, kPageable };
Place place_of(const void* address) {
  const Allocation* const allocation = Memory::instance().find(address);
  if (allocation == nullptr) return Place::kPageable;
  return allocation->pinned ? Place::kPinned : Place::kDevice;
}

void check_kind(const Copy& copy) {
  const bool to_device = place_of(copy.to) == Place::kDevice, from_device = place_of(copy.from) == Place::kDevice;
  const bool matches = copy.kind == cudaMemcpyDefault ||
                       (copy.kind == cudaMemcpyHostToDevice && to_device && !from_device) ||
                       (copy.kind == cudaMemcpyDeviceToHost && !to_device && from_device) ||
                       (copy.kind == cudaMemcpyDeviceToDevice && to_device && from_device) ||
                       (copy.kind == cudaMemcpyHostToHost && !to_device && !from_device);
  require(matches, "a copy's direction is not that of its addresses (or one of them was freed)");
}

std::size_t extent(const Copy& copy, std::size_t pitch) {
  return copy.rows == 0 ? 0 : (copy.rows - 1) * pitch + copy.row_bytes;
}

void check_bounds(const void* address, std::size_t bytes, const char* what) {
  const Allocation* const allocation = Memory::instance().find(address);
  if (allocation == nullptr) return;
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - allocation->begin);
  require(bytes <= allocation->bytes - offset, std::string("out of bounds: ") + what + " of a copy takes " +
                                                   std::to_string(bytes) + " bytes at offset " +
                                                   std::to_string(offset) + " of " + text_of(*allocation));
}

void perform(const Copy& copy) {
  check_kind(copy);
  check_bounds(copy.to, extent(copy, copy.to_pitch), "the destination");
  check_bounds(copy.from, extent(copy, copy.from_pitch), "the source");
  for (std::size_t row = 0; row < copy.rows; ++row) {
    std::memmove(static_cast<std::byte*>(copy.to) + row * copy.to_pitch,
                 static_cast<const std::byte*>(copy.from) + row * copy.from_pitch, copy.row_bytes);
  }
}

Operation operation_of(const Copy& copy) {
  Operation operation{Operation::Kind::kCopy, "a copy", [copy] { perform(copy); }, {}};
  if (place_of(copy.to) == Place::kPinned) {
    operation.host.push_back({copy.to, extent(copy, copy.to_pitch), true});
  }
  if (place_of(copy.from) == Place::kPinned) {
    operation.host.push_back({copy.from, extent(copy, copy.from_pitch), false});
  }
  return operation;
}

// Pageable memory is read before the call returns: into a buffer of the driver's.
Operation staged(const Copy& copy) {
  auto buffer = std::make_shared<std::vector<std::byte>>(extent(copy, copy.from_pitch));
  std::memcpy(buffer->data(), copy.from, buffer->size());
  return {Operation::Kind::kCopy,
          "a copy",
          [copy, buffer] {
            Copy from_buffer = copy;
            from_buffer.from = buffer->data();
            perform(from_buffer);
          },
          {}};
}

// What the manual says of synchronisation ("API synchronization behavior"): to pageable memory a copy has ended when
// the call returns; from pageable memory it has been staged, and arrives in the order of its stream.
cudaError_t copy_later(const Copy& copy, cudaStream_t stream, bool on_default) {
  if (extent(copy, copy.to_pitch) == 0) return cudaSuccess;
  check_kind(copy);
  if (place_of(copy.from) == Place::kPageable) {
    enqueue(stream, staged(copy), on_default);
    return cudaSuccess;
  }
  enqueue(stream, operation_of(copy), on_default);
  if (place_of(copy.to) == Place::kPageable) finish(stream);
  return cudaSuccess;
}

// cudaMemcpy: as above on the default stream; between host and device by pinned memory it waits for the end.
cudaError_t copy_now(const Copy& copy) {
  forbid_in_capture("cudaMemcpy");
  copy_later(copy, nullptr, true);
  const bool within_device = place_of(copy.to) == Place::kDevice && place_of(copy.from) == Place::kDevice;
  if (place_of(copy.from) != Place::kPageable && !within_device) finish(nullptr);
  return cudaSuccess;
}

cudaError_t set_later(void* address, int value, std::size_t bytes, cudaStream_t stream, bool on_default) {
  enqueue(stream,
          {Operation::Kind::kCopy,
           "a memset",
           [=] {
             Memory::instance().check_device(address, bytes, "the destination of a memset");
             std::memset(address, value, bytes);
           },
           {}},
          on_default);
  return cudaSuccess;
}

cudaError_t allocate(void** address, std::size_t bytes, bool pinned, const char* call) {
  const Lock lock(State::instance().mutex);
  forbid_in_capture(call);
  *address = nullptr;
  if (bytes == 0) return cudaSuccess;
  *address = Memory::instance().allocate(bytes, pinned);
  return *address == nullptr ? result(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t release(void* address, bool pinned, const char* call) {
  const Lock lock(State::instance().mutex);
  forbid_in_capture(call);
  if (address == nullptr) return cudaSuccess;
  finish_all();  // both wait for the device
  Memory::instance().release(address, pinned);
  return cudaSuccess;
}

}  // namespace

void set_device_memory(std::size_t bytes) { Memory::instance().set_total(bytes); }
void fail_allocation_after(std::int64_t successes) { Memory::instance().fail_after(successes); }
void set_device_count(int count) { device().count = count; }
void set_compute_capability(int capability) { device().capability = capability; }

}  // namespace tessera::emulated

using namespace tessera::emulated;  // NOLINT(google-build-using-namespace): C functions cannot lie in it

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = std::max(device().count, 0);
  if (device().count < 0) return result(cudaErrorInsufficientDriver);
  return device().count == 0 ? result(cudaErrorNoDevice) : cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
  if (index < 0 || index >= device().count) return result(cudaErrorInvalidDevice);
  device().current = index;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* index) {
  *index = device().current;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  if (index < 0 || index >= device().count) return result(cudaErrorInvalidDevice);
  std::memset(properties, 0, sizeof(*properties));
  std::strncpy(properties->name, "emulated device (tests only)", sizeof(properties->name) - 1);
  properties->totalGlobalMem = Memory::instance().total();
  properties->sharedMemPerBlock = std::size_t{48} << 10;
  properties->sharedMemPerBlockOptin = std::size_t{96} << 10;
  properties->sharedMemPerMultiprocessor = std::size_t{100} << 10;
  properties->regsPerBlock = 65536;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->maxThreadsPerMultiProcessor = 1024;
  properties->major = device().capability / 10;
  properties->minor = device().capability % 10;
  properties->multiProcessorCount = 4;
  properties->l2CacheSize = 4 << 20;
  properties->memoryBusWidth = 256;
  properties->asyncEngineCount = 2;
  properties->concurrentKernels = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  if (index < 0 || index >= device().count) return result(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = device().capability / 10;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = device().capability % 10;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = 96 << 10;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = 48 << 10;
      break;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = 1024;
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrClockRate:
      *value = 1'000'000;
      break;
    case cudaDevAttrMemoryClockRate:
      *value = 1'000'000;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = 256;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 4 << 20;
      break;
    default:
      fault("cudaDeviceGetAttribute does not know attribute " + std::to_string(attribute));
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = device().count < 0 ? 0 : CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaSetDeviceFlags(unsigned) { return cudaSuccess; }
cudaError_t cudaDeviceReset() {
  finish_all();
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  *total = Memory::instance().total();
  *available = *total - Memory::instance().used();
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(device().last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return device().last_error; }
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    default:
      return "an error of the emulated device";
  }
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : cudaGetErrorName(error);
}

cudaError_t cudaMalloc(void** address, std::size_t bytes) { return allocate(address, bytes, false, "cudaMalloc"); }
cudaError_t cudaFree(void* address) { return release(address, false, "cudaFree"); }
cudaError_t cudaMallocHost(void** address, std::size_t bytes) {
  return allocate(address, bytes, true, "cudaMallocHost");
}
cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned) {
  return allocate(address, bytes, true, "cudaHostAlloc");
}
cudaError_t cudaFreeHost(void* address) { return release(address, true, "cudaFreeHost"); }

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return copy_now({to, from, bytes, 1, bytes, bytes, kind});
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_later({to, from, bytes, 1, bytes, bytes, kind}, stream, false);
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  if (width > to_pitch || width > from_pitch) return result(cudaErrorInvalidPitchValue);
  return copy_later({to, from, width, height, to_pitch, from_pitch, kind}, stream, false);
}
cudaError_t cudaMemset(void* address, int value, std::size_t bytes) {
  forbid_in_capture("cudaMemset");
  return set_later(address, value, bytes, nullptr, true);
}
cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream) {
  return set_later(address, value, bytes, stream, false);
}

cudaError_t cudaDeviceSynchronize() {
  forbid_in_capture("cudaDeviceSynchronize");
  finish_all();
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || value > (96 << 10)) return result(cudaErrorInvalidValue);
  allow_shared_memory(kernel, static_cast<std::size_t>(value));
  return cudaSuccess;
}

}  // extern "C"
