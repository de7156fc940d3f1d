#pragma once
// What CUDA gives and wants back, each owned by a value.

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "cuda/failure.h"

namespace tessera::cuda {

template <auto Release>
struct Releaser {
  template <class T>
  void operator()(T* handle) const noexcept {
    Release(handle);
  }
};
template <class Handle, auto Release>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Releaser<Release>>;

using DeviceMemory = Owned<void*, cudaFree>;
using PinnedMemory = Owned<void*, cudaFreeHost>;
using Stream = Owned<cudaStream_t, cudaStreamDestroy>;
using Event = Owned<cudaEvent_t, cudaEventDestroy>;
using Recording = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;
using LtHandle = Owned<cublasLtHandle_t, cublasLtDestroy>;
using LtOperation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using LtLayout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using LtPreference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;
using CudnnHandle = Owned<cudnnHandle_t, cudnnDestroy>;

// Memory of the device of this thread (cudaSetDevice). None for 0 bytes.
DeviceMemory allocate_device(std::size_t bytes);
// Memory of the host that copies to and from the device need not go around.
PinnedMemory allocate_pinned(std::size_t bytes);
// A stream that does not wait for the default stream.
Stream make_stream();
Event make_event(bool timing);

}  // namespace tessera::cuda
