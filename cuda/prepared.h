#pragma once
// A layer that has been prepared: weights on the device, algorithm chosen. One struct a way of computing.

#include <memory>
#include <span>
#include <string>

#include "cuda/device.h"
#include "cuda/queue.h"

// What run() is given. Addresses are the device's.
struct TesseraRun {
  const void* const* inputs;
  void* output;
  std::byte* scratch;  // TesseraKernel::scratch_bytes
  std::int64_t batch;  // at most the one it was prepared for
  TesseraQueue& queue;
  cudaStream_t stream() const { return queue.work(); }
};

// Immutable but for what it makes for batch sizes that it has not seen; run() may be called from several threads.
struct TesseraKernel {
  TesseraKernel() = default;
  TesseraKernel(const TesseraKernel&) = delete;
  TesseraKernel& operator=(const TesseraKernel&) = delete;
  virtual ~TesseraKernel() = default;
  // Puts the work into the queue and returns.
  virtual void run(const TesseraRun& run) const = 0;

  std::string implementation;  // "cublas_gelu": shown in every report
  std::string choice;          // which of several ways; for TesseraRequest::choice
  std::int64_t scratch_bytes = 0, weight_bytes = 0;
};

namespace tessera::cuda {

using Kernel = std::unique_ptr<TesseraKernel>;

// Of a request.
std::int64_t count_of(const TesseraTensor& tensor);
std::int64_t last_size(const TesseraTensor& tensor);
inline TesseraDType type_of(const TesseraTensor& tensor) { return static_cast<TesseraDType>(tensor.dtype); }
// Values of one picture.
inline std::int64_t per_picture(const TesseraTensor& tensor) { return count_of(tensor) / tensor.size[0]; }
std::span<const float> weight(const TesseraRequest& request, int index);

// Weights of a kernel on the device, counted in its weight_bytes.
DeviceMemory upload_weight(TesseraDevice& device, TesseraKernel& kernel, std::span<const float> values,
                           TesseraDType type);

constexpr std::int64_t round_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }
// Regions of the scratch memory begin at multiples of this.
constexpr std::int64_t kScratchAlignment = 256;

// A layer's kernel, for requests whose values are all of one type (make_linear, and a convolution that is gathered: the
// output may be float32). prepare.cpp has the table of layers.
using Maker = Kernel (*)(TesseraDevice& device, const TesseraRequest& request);
Kernel make_linear(TesseraDevice& device, const TesseraRequest& request);
Kernel make_convolution(TesseraDevice& device, const TesseraRequest& request);  // Conv2d, PatchEmbed as pixels
// Whether a convolution is gathered where nothing is measured; then its input may be of another type.
bool gathers_by_rule(const TesseraRequest& request);
Kernel make_attention(TesseraDevice& device, const TesseraRequest& request);
// One own kernel each.
Kernel make_activation(TesseraDevice& device, const TesseraRequest& request);
Kernel make_add(TesseraDevice& device, const TesseraRequest& request);
Kernel make_concat(TesseraDevice& device, const TesseraRequest& request);
Kernel make_copy(TesseraDevice& device, const TesseraRequest& request);  // Dropout
Kernel make_flatten(TesseraDevice& device, const TesseraRequest& request);
Kernel make_global_average_pool(TesseraDevice& device, const TesseraRequest& request);
Kernel make_layer_norm(TesseraDevice& device, const TesseraRequest& request);
Kernel make_multiply(TesseraDevice& device, const TesseraRequest& request);
Kernel make_pool(TesseraDevice& device, const TesseraRequest& request);
Kernel make_scale_shift(TesseraDevice& device, const TesseraRequest& request);  // BatchNorm, LayerScale
Kernel make_softmax(TesseraDevice& device, const TesseraRequest& request);
Kernel make_token_embed(TesseraDevice& device, const TesseraRequest& request);
Kernel make_token_pool(TesseraDevice& device, const TesseraRequest& request);

// The kernel for any request: chooses among those above, and casts where inputs or output are of other types.
Kernel prepare(TesseraDevice& device, const TesseraRequest& request);

}  // namespace tessera::cuda
