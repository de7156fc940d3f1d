#pragma once
// An open device: its facts, and what all kernels on it share.

#include <cstdint>
#include <mutex>
#include <span>

#include "cuda/handles.h"
#include "device/plugin.h"

struct TesseraDevice {
  // Throws Failure (7) where there is no such device, no driver, or where it is too old.
  TesseraDevice(int index, const TesseraOptions& options);

  const TesseraFacts& facts() const noexcept { return facts_; }
  const TesseraOptions& options() const noexcept { return options_; }
  cublasLtHandle_t lt() const noexcept { return lt_.get(); }
  // Makes it the device that calls of this thread are about.
  void use() const;

  // Copies host values to memory of their own on the device, in the type `type`.
  tessera::cuda::DeviceMemory upload(std::span<const float> values, TesseraDType type);

  // The stream on which kernels are prepared.
  cudaStream_t stream() const noexcept { return stream_.get(); }
  // cuDNN with its work put into `stream`. Plans belong to the handle that they were made with, and not all of them may
  // be used by two threads at once: there is one handle, and mutex() is held while it is used.
  cudnnHandle_t cudnn(cudaStream_t stream);
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  int index_;
  TesseraOptions options_;
  TesseraFacts facts_{};
  std::mutex mutex_;
  tessera::cuda::Stream stream_;
  tessera::cuda::LtHandle lt_;
  tessera::cuda::CudnnHandle cudnn_;
};

namespace tessera::cuda {

constexpr std::int64_t bytes_of(TesseraDType type) { return type == TESSERA_F32 ? 4 : 2; }

}  // namespace tessera::cuda
