// One value in, one value out: each thread takes every so-many-th value, so that a warp reads and writes lines of
// memory. All of these wait for memory.

#include "cuda/kernels/activation.h"

namespace tessera::cuda {

namespace {

template <class T>
__global__ void finish_kernel(const T* x, const float* bias, const T* residual, Activation activation, T* y,
                              std::int64_t count, std::int64_t channels) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    float value = load(x, i);
    if (bias != nullptr) value += bias[i % channels];
    if (residual != nullptr) value += load(residual, i);
    store(y, i, activate(activation, value));
  }
}

template <class T>
__global__ void scale_shift_kernel(const T* x, const float* scale, const float* shift, T* y, std::int64_t count,
                                   std::int64_t channels) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t c = i % channels;
    store(y, i, load(x, i) * scale[c] + (shift == nullptr ? 0.0F : shift[c]));
  }
}

template <class T>
__global__ void add_kernel(const T* a, const T* b, T* y, std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) store(y, i, load(a, i) + load(b, i));
}

template <class T>
__global__ void multiply_kernel(const T* x, const T* gate, T* y, std::int64_t count, std::int64_t picture,
                                std::int64_t channels) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    store(y, i, load(x, i) * load(gate, i / picture * channels + i % channels));
  }
}

template <class In, class Out>
__global__ void cast_kernel(const In* x, Out* y, std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) store(y, i, load(x, i));
}

template <class T>
__global__ void copy_columns_kernel(const T* x, std::int64_t width, T* y, std::int64_t y_width, std::int64_t offset,
                                    std::int64_t count) {
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    y[i / width * y_width + offset + i % width] = x[i];
  }
}

template <class T>
__global__ void flatten_kernel(const T* x, T* y, std::int64_t count, std::int64_t pixels, std::int64_t channels) {
  const std::int64_t picture = pixels * channels;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t within = i % picture;
    y[i - within + within % channels * pixels + within / channels] = x[i];
  }
}

template <class T>
__global__ void token_embed_kernel(const T* x, const float* prefix, const float* positions, T* y, std::int64_t count,
                                   std::int64_t prefix_values, std::int64_t patch_values) {
  const std::int64_t picture = prefix_values + patch_values;
  for (std::int64_t i = first_index(); i < count; i += index_step()) {
    const std::int64_t n = i / picture, within = i % picture, patch = within - prefix_values;
    store(y, i, patch < 0 ? prefix[within] : load(x, n * patch_values + patch) + positions[patch]);
  }
}

template <class T>
__global__ void mean_rows_kernel(const T* x, T* y, std::int64_t outputs, std::int64_t rows, std::int64_t width,
                                 std::int64_t first, std::int64_t count) {
  for (std::int64_t i = first_index(); i < outputs; i += index_step()) {
    const std::int64_t at = (i / width * rows + first) * width + i % width;
    float sum = 0;
    for (std::int64_t row = 0; row < count; ++row) sum += load(x, at + row * width);
    store(y, i, sum / static_cast<float>(count));
  }
}

}  // namespace

void finish(TesseraDType type, const void* x, const float* bias, const void* residual, Activation activation, void* y,
            std::int64_t count, std::int64_t channels, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(finish_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x), bias,
                   static_cast<const T*>(residual), activation, static_cast<T*>(y), count, channels);
  });
}

void scale_shift(TesseraDType type, const void* x, const float* scale, const float* shift, void* y, std::int64_t count,
                 std::int64_t channels, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(scale_shift_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x), scale,
                   shift, static_cast<T*>(y), count, channels);
  });
}

void add(TesseraDType type, const void* a, const void* b, void* y, std::int64_t count, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(add_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(a),
                   static_cast<const T*>(b), static_cast<T*>(y), count);
  });
}

void multiply(TesseraDType type, const void* x, const void* gate, void* y, std::int64_t count, std::int64_t picture,
              std::int64_t channels, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(multiply_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x),
                   static_cast<const T*>(gate), static_cast<T*>(y), count, picture, channels);
  });
}

void cast(TesseraDType x_type, const void* x, TesseraDType y_type, void* y, std::int64_t count, cudaStream_t stream) {
  with_type(x_type, [&]<class In>(In*) {
    with_type(y_type, [&]<class Out>(Out*) {
      TESSERA_LAUNCH((cast_kernel<In, Out>), blocks_for(count), kThreads, 0, stream, static_cast<const In*>(x),
                     static_cast<Out*>(y), count);
    });
  });
}

void copy_columns(TesseraDType type, const void* x, std::int64_t width, void* y, std::int64_t y_width,
                  std::int64_t offset, std::int64_t rows, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(copy_columns_kernel<T>, blocks_for(rows * width), kThreads, 0, stream, static_cast<const T*>(x),
                   width, static_cast<T*>(y), y_width, offset, rows * width);
  });
}

void flatten(TesseraDType type, const void* x, void* y, std::int64_t pictures, std::int64_t pixels,
             std::int64_t channels, cudaStream_t stream) {
  const std::int64_t count = pictures * pixels * channels;
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(flatten_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x),
                   static_cast<T*>(y), count, pixels, channels);
  });
}

void token_embed(TesseraDType type, const void* x, const float* prefix, const float* positions, void* y,
                 std::int64_t pictures, std::int64_t prefix_tokens, std::int64_t tokens, std::int64_t width,
                 cudaStream_t stream) {
  const std::int64_t count = pictures * (prefix_tokens + tokens) * width;
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(token_embed_kernel<T>, blocks_for(count), kThreads, 0, stream, static_cast<const T*>(x), prefix,
                   positions, static_cast<T*>(y), count, prefix_tokens * width, tokens * width);
  });
}

void mean_rows(TesseraDType type, const void* x, void* y, std::int64_t pictures, std::int64_t rows, std::int64_t width,
               std::int64_t first, std::int64_t count, cudaStream_t stream) {
  with_type(type, [&]<class T>(T*) {
    TESSERA_LAUNCH(mean_rows_kernel<T>, blocks_for(pictures * width), kThreads, 0, stream, static_cast<const T*>(x),
                   static_cast<T*>(y), pictures * width, rows, width, first, count);
  });
}

}  // namespace tessera::cuda
