#pragma once
// Own kernels: what is no matrix product. Each puts one kernel into the stream and returns; `x`, `y` and the rest lie
// on the device, `type` is that of the values. Weights that are added or multiplied one by one are float32 in every
// type.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cuda/activation.h"
#include "device/plugin.h"

namespace tessera::cuda {

// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over each of `rows` rows of `channels`. y may be x.
void layer_norm(TesseraDType type, const void* x, const float* weight, const float* bias, float epsilon, void* y,
                std::int64_t rows, std::int64_t channels, cudaStream_t stream);

// Softmax of each of `rows` rows of `columns`; rows lie `x_step` and `y_step` values apart. y may be x where both are
// of one type.
void softmax(TesseraDType x_type, const void* x, std::int64_t x_step, TesseraDType y_type, void* y, std::int64_t y_step,
             std::int64_t rows, std::int64_t columns, cudaStream_t stream);

// y = act(x + bias + residual) for `count` values, channels innermost; bias [channels] and residual may be null, y may
// be x.
void finish(TesseraDType type, const void* x, const float* bias, const void* residual, Activation activation, void* y,
            std::int64_t count, std::int64_t channels, cudaStream_t stream);

// y = x * scale + shift by channel; shift may be null, y may be x.
void scale_shift(TesseraDType type, const void* x, const float* scale, const float* shift, void* y, std::int64_t count,
                 std::int64_t channels, cudaStream_t stream);

// y = a + b. y may be a.
void add(TesseraDType type, const void* a, const void* b, void* y, std::int64_t count, cudaStream_t stream);

// y = x * gate: x of `count` values, gate [N, channels] for pictures of `picture` values. y may be x.
void multiply(TesseraDType type, const void* x, const void* gate, void* y, std::int64_t count, std::int64_t picture,
              std::int64_t channels, cudaStream_t stream);

// The same values in another type.
void cast(TesseraDType x_type, const void* x, TesseraDType y_type, void* y, std::int64_t count, cudaStream_t stream);

// Copies `rows` rows of `width` values to columns [offset, offset + width) of rows of `y_width`.
void copy_columns(TesseraDType type, const void* x, std::int64_t width, void* y, std::int64_t y_width,
                  std::int64_t offset, std::int64_t rows, cudaStream_t stream);

// [N, pixels, channels] -> [N, channels, pixels].
void flatten(TesseraDType type, const void* x, void* y, std::int64_t pictures, std::int64_t pixels,
             std::int64_t channels, cudaStream_t stream);

// y[n] = prefix, then x[n] + positions: [N, T, D] -> [N, P + T, D].
void token_embed(TesseraDType type, const void* x, const float* prefix, const float* positions, void* y,
                 std::int64_t pictures, std::int64_t prefix_tokens, std::int64_t tokens, std::int64_t width,
                 cudaStream_t stream);

// The mean of rows [first, first + count) of `rows` rows of each picture: [N, rows, width] -> [N, width].
void mean_rows(TesseraDType type, const void* x, void* y, std::int64_t pictures, std::int64_t rows, std::int64_t width,
               std::int64_t first, std::int64_t count, cudaStream_t stream);

// Where windows over a picture lie: convolutions and pooling. Sizes in pixels; `channels` are those of a whole pixel.
struct Windows {
  int height = 0, width = 0, channels = 0;  // of x
  int out_height = 0, out_width = 0;        // of y
  int kernel_height = 1, kernel_width = 1;
  int stride_height = 1, stride_width = 1;
  int dilation_height = 1, dilation_width = 1;
  int top = 0, left = 0;      // padding before
  int bottom = 0, right = 0;  // and after, for means that count padding
};

// Rows of a matrix out of windows ("im2col"): for each pixel of y, kernel_height * kernel_width * group_channels values
// of channels [first_channel, + group_channels), zeros where the window leaves the picture, and zeros up to `row_step`.
void gather(TesseraDType x_type, const void* x, TesseraDType y_type, void* y, const Windows& windows,
            std::int64_t pictures, int first_channel, int group_channels, std::int64_t row_step, cudaStream_t stream);

// Depthwise convolution with filters [KH, KW, C]: y = act(sum + bias + residual); bias and residual may be null.
void depthwise(TesseraDType type, const void* x, const float* filters, const float* bias, const void* residual,
               Activation activation, void* y, const Windows& windows, std::int64_t pictures, cudaStream_t stream);

// The largest value, or the mean, of each window. A NaN wins over every number.
void pool(TesseraDType type, const void* x, void* y, const Windows& windows, bool maximum, bool count_padding,
          std::int64_t pictures, cudaStream_t stream);

}  // namespace tessera::cuda
