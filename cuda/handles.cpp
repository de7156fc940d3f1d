#include "cuda/handles.h"

#include <string>

namespace tessera::cuda {

DeviceMemory allocate_device(std::size_t bytes) {
  void* memory = nullptr;
  if (bytes == 0) return nullptr;
  const std::string what = "allocating " + std::to_string(bytes) + " bytes on the device";
  check(cudaMalloc(&memory, bytes), what.c_str());
  return DeviceMemory(memory);
}

PinnedMemory allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  if (bytes == 0) return nullptr;
  const std::string what = "allocating " + std::to_string(bytes) + " bytes of pinned memory";
  check(cudaMallocHost(&memory, bytes), what.c_str());
  return PinnedMemory(memory);
}

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  return Stream(stream);
}

Event make_event(bool timing) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming), "making an event");
  return Event(event);
}

}  // namespace tessera::cuda
