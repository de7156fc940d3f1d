// Layer normalisation and softmax: one block for each row, whose values it reads from global memory or, after the first
// time, from the caches. Sums are taken by thread, then by warp, then over warps, always in the same order.

#include <cmath>

#include "cuda/kernels/values.h"

namespace tessera::cuda {

namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kRowThreads = 128;
constexpr unsigned kWarps = kRowThreads / kWarp;

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Largest {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// `value` of all threads of the block, combined; every thread gets the result. `partial` has kWarps floats.
template <class Combine>
__device__ float over_block(float value, float* partial, Combine combine) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    value = combine(value, __shfl_xor_sync(0xffffffffU, value, lanes));
  }
  __syncthreads();  // the last result has been read by all
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = partial[0];
  for (unsigned warp = 1; warp < kWarps; ++warp) value = combine(value, partial[warp]);
  return value;
}

template <class T>
__global__ void layer_norm_kernel(const T* x, const float* weight, const float* bias, float epsilon, T* y,
                                  std::int64_t rows, std::int64_t channels) {
  TESSERA_STATIC_SHARED(float, partial, kWarps);
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * channels;
    T* to = y + row * channels;
    float sum = 0;
    for (std::int64_t c = threadIdx.x; c < channels; c += kRowThreads) sum += load(from, c);
    const float mean = over_block(sum, partial, Sum()) / static_cast<float>(channels);
    // The mean of values far from zero has been rounded by as much as they differ: what is left of it is taken off too.
    float left = 0, squares = 0;
    for (std::int64_t c = threadIdx.x; c < channels; c += kRowThreads) {
      const float distance = load(from, c) - mean;
      left += distance;
      squares += distance * distance;
    }
    const float rest = over_block(left, partial, Sum()) / static_cast<float>(channels);
    const float variance = over_block(squares, partial, Sum()) / static_cast<float>(channels) - rest * rest;
    const float scale = 1.0F / sqrtf((variance > 0.0F ? variance : 0.0F) + epsilon);
    for (std::int64_t c = threadIdx.x; c < channels; c += kRowThreads) {
      store(to, c, ((load(from, c) - mean) - rest) * scale * weight[c] + bias[c]);
    }
  }
}

template <class In, class Out>
__global__ void softmax_kernel(const In* x, std::int64_t x_step, Out* y, std::int64_t y_step, std::int64_t rows,
                               std::int64_t columns) {
  TESSERA_STATIC_SHARED(float, partial, kWarps);
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const In* from = x + row * x_step;
    Out* to = y + row * y_step;
    float largest = -INFINITY;
    for (std::int64_t c = threadIdx.x; c < columns; c += kRowThreads) largest = Largest()(load(from, c), largest);
    largest = over_block(largest, partial, Largest());
    float sum = 0;
    for (std::int64_t c = threadIdx.x; c < columns; c += kRowThreads) sum += expf(load(from, c) - largest);
    const float factor = 1.0F / over_block(sum, partial, Sum());
    for (std::int64_t c = threadIdx.x; c < columns; c += kRowThreads) {
      store(to, c, expf(load(from, c) - largest) * factor);
    }
  }
}

unsigned row_blocks(std::int64_t rows) {
  constexpr std::int64_t kMostBlocks = 1 << 20;
  return static_cast<unsigned>(rows < kMostBlocks ? rows : kMostBlocks);
}

}  // namespace

void layer_norm(TesseraDType type, const void* x, const float* weight, const float* bias, float epsilon, void* y,
                std::int64_t rows, std::int64_t channels, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(layer_norm_kernel<T>, row_blocks(rows), kRowThreads, 0, stream, static_cast<const T*>(x), weight,
                   bias, epsilon, static_cast<T*>(y), rows, channels);
  });
}

void softmax(TesseraDType x_type, const void* x, std::int64_t x_step, TesseraDType y_type, void* y, std::int64_t y_step,
             std::int64_t rows, std::int64_t columns, cudaStream_t stream) {
  with_type(y_type, [&]<class Out>(Out*) {
    if (x_type == y_type) {
      TESSERA_LAUNCH((softmax_kernel<Out, Out>), row_blocks(rows), kRowThreads, 0, stream, static_cast<const Out*>(x),
                     x_step, static_cast<Out*>(y), y_step, rows, columns);
    } else {  // scores are float32 in every type
      TESSERA_LAUNCH((softmax_kernel<float, Out>), row_blocks(rows), kRowThreads, 0, stream,
                     static_cast<const float*>(x), x_step, static_cast<Out*>(y), y_step, rows, columns);
    }
  });
}

}  // namespace tessera::cuda
