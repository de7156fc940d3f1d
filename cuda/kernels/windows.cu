// What slides over a picture: gathering for matrix products, depthwise convolutions, pooling. A thread computes one
// value; neighbouring threads have neighbouring channels, which lie side by side.

#include <cmath>

#include "cuda/kernels/activation.h"

namespace tessera::cuda {

namespace {

struct Pixel {
  std::int64_t picture;
  int y, x;
};

// Pixel `index` of the output, counted over all pictures.
__device__ inline Pixel out_pixel(std::int64_t index, const Windows& w) {
  const std::int64_t row = index / w.out_width;
  return {row / w.out_height, static_cast<int>(row % w.out_height), static_cast<int>(index % w.out_width)};
}

// Where channel 0 of a pixel of the input lies; -1: outside the picture.
__device__ inline std::int64_t in_pixel(const Pixel& out, int ky, int kx, const Windows& w) {
  const int y = out.y * w.stride_height + ky * w.dilation_height - w.top;
  const int x = out.x * w.stride_width + kx * w.dilation_width - w.left;
  if (y < 0 || y >= w.height || x < 0 || x >= w.width) return -1;
  return ((out.picture * w.height + y) * w.width + x) * w.channels;
}

template <class In, class Out>
__global__ void gather_kernel(const In* x, Out* y, Windows w, int first_channel, int group_channels, int row_step,
                              std::int64_t count) {
  const int taps = w.kernel_height * w.kernel_width;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const int column = static_cast<int>(i % row_step);
    const int tap = column / group_channels, channel = column % group_channels;
    float value = 0;
    if (tap < taps) {
      const Pixel pixel = out_pixel(i / row_step, w);
      const std::int64_t at = in_pixel(pixel, tap / w.kernel_width, tap % w.kernel_width, w);
      if (at >= 0) value = load(x, at + first_channel + channel);
    }
    store(y, i, value);
  }
}

template <class T>
__global__ void depthwise_kernel(const T* x, const float* filters, const float* bias, const T* residual,
                                 Activation activation, T* y, Windows w, std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const int channel = static_cast<int>(i % w.channels);
    const Pixel pixel = out_pixel(i / w.channels, w);
    float sum = 0;
    for (int ky = 0; ky < w.kernel_height; ++ky) {
      for (int kx = 0; kx < w.kernel_width; ++kx) {
        const std::int64_t at = in_pixel(pixel, ky, kx, w);
        if (at < 0) continue;
        sum += load(x, at + channel) * filters[(ky * w.kernel_width + kx) * w.channels + channel];
      }
    }
    if (bias != nullptr) sum += bias[channel];
    if (residual != nullptr) sum += load(residual, i);
    store(y, i, activate(activation, sum));
  }
}

// Places of a window along one axis that count for a mean: those inside the padded picture.
__device__ inline int padded_extent(int at, int stride, int kernel, int before, int length, int after) {
  const int start = at * stride - before;
  const int end = start + kernel < length + after ? start + kernel : length + after;
  return end - start;
}

template <class T>
__global__ void pool_kernel(const T* x, T* y, Windows w, bool maximum, bool count_padding, std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const int channel = static_cast<int>(i % w.channels);
    const Pixel pixel = out_pixel(i / w.channels, w);
    float result = maximum ? -INFINITY : 0.0F;
    int inside = 0;
    for (int ky = 0; ky < w.kernel_height; ++ky) {
      for (int kx = 0; kx < w.kernel_width; ++kx) {
        const std::int64_t at = in_pixel(pixel, ky, kx, w);
        if (at < 0) continue;
        const float value = load(x, at + channel);
        ++inside;
        if (!maximum) {
          result += value;
        } else if (value > result || isnan(value)) {
          result = value;
        }
      }
    }
    if (!maximum) {
      const int rows = padded_extent(pixel.y, w.stride_height, w.kernel_height, w.top, w.height, w.bottom);
      const int columns = padded_extent(pixel.x, w.stride_width, w.kernel_width, w.left, w.width, w.right);
      result /= static_cast<float>(count_padding ? rows * columns : inside);
    }
    store(y, i, result);
  }
}

std::int64_t out_pixels(const Windows& windows, std::int64_t pictures) {
  return pictures * windows.out_height * windows.out_width;
}

}  // namespace

void gather(TesseraDType x_type, const void* x, TesseraDType y_type, void* y, const Windows& windows,
            std::int64_t pictures, int first_channel, int group_channels, std::int64_t row_step, cudaStream_t stream) {
  const std::int64_t count = out_pixels(windows, pictures) * row_step;
  with_type(x_type, [&]<class In>(In*) {
    with_type(y_type, [&]<class Out>(Out*) {
      TESSERA_LAUNCH((gather_kernel<In, Out>), blocks_for(count), kThreads, 0, stream, static_cast<const In*>(x),
                     static_cast<Out*>(y), windows, first_channel, group_channels, static_cast<int>(row_step), count);
    });
  });
}

void depthwise(TesseraDType type, const void* x, const float* filters, const float* bias, const void* residual,
               Activation activation, void* y, const Windows& windows, std::int64_t pictures, cudaStream_t stream) {
  const std::int64_t count = out_pixels(windows, pictures) * windows.channels;
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(depthwise_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x), filters, bias,
                   static_cast<const T*>(residual), activation, static_cast<T*>(y), windows, count);
  });
}

void pool(TesseraDType type, const void* x, void* y, const Windows& windows, bool maximum, bool count_padding,
          std::int64_t pictures, cudaStream_t stream) {
  const std::int64_t count = out_pixels(windows, pictures) * windows.channels;
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(pool_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x), static_cast<T*>(y),
                   windows, maximum, count_padding, count);
  });
}

}  // namespace tessera::cuda
