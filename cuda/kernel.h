#pragma once
// What a .cu file includes. By nvcc it is CUDA; by g++ for the emulated device of the tests it is a shim that gives the
// same words, and runs each thread of a block as a fiber. Hence launches and shared memory go through macros.

#ifdef TESSERA_EMULATED_DEVICE
#include "tests/cuda/emulated/kernel_shim.h"
#else
#include <cuda_runtime.h>

#define TESSERA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  (kernel)<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
#define TESSERA_STATIC_SHARED(type, name, count) __shared__ type name[count]
#endif
