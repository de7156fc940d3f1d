#pragma once
// Layers that look through windows, out of a request's fields.

#include <array>

#include "cuda/kernels.h"
#include "cuda/layer_fields.h"

namespace tessera::cuda {

// Height, width.
using Pair = std::array<std::int64_t, 2>;

// A Conv2d, or a PatchEmbed, which is one whose windows lie side by side.
struct Convolution {
  Pair kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  Pair padding{0, 0};        // rows above, columns left
  Pair padding_after{0, 0};  // rows below, columns right
  std::int64_t groups = 1;
  bool bias = false;
  bool residual = false;  // the last input is added before the activation
  bool depthwise = false;
  Activation activation = Activation::kNone;
};
Convolution convolution_of(const TesseraRequest& request);

Windows windows_of(const TesseraRequest& request, const Convolution& convolution);

}  // namespace tessera::cuda
