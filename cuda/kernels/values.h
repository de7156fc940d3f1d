#pragma once
// Values of the three types in which a device keeps them. Kernels compute in float32 whatever they read and write.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "cuda/kernel.h"
#include "cuda/kernels.h"

namespace tessera::cuda {

__device__ inline float load(const float* from, std::int64_t index) { return from[index]; }
__device__ inline float load(const __half* from, std::int64_t index) { return __half2float(from[index]); }
__device__ inline float load(const __nv_bfloat16* from, std::int64_t index) { return __bfloat162float(from[index]); }

__device__ inline void store(float* to, std::int64_t index, float value) { to[index] = value; }
__device__ inline void store(__half* to, std::int64_t index, float value) { to[index] = __float2half_rn(value); }
__device__ inline void store(__nv_bfloat16* to, std::int64_t index, float value) {
  to[index] = __float2bfloat16_rn(value);
}

// Calls launch(null pointer of the type).
template <class Launch>
void with_type(TesseraDType type, const Launch& launch) {
  if (type == TESSERA_F32) {
    launch(static_cast<float*>(nullptr));
  } else if (type == TESSERA_F16) {
    launch(static_cast<__half*>(nullptr));
  } else {
    launch(static_cast<__nv_bfloat16*>(nullptr));
  }
}

constexpr unsigned kThreads = 256;

// Blocks of kThreads for `count` threads, each of which takes every (blocks * kThreads)-th value. At most so many that
// they fill any device many times over.
inline unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t kMostBlocks = 65535;
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

__device__ inline std::int64_t first_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t index_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

}  // namespace tessera::cuda
