#pragma once

#include "cuda/kernels.h"

namespace tessera::cuda {

// The windows of a convolution or a pooling.
inline Windows windows_of(const TesseraRequest& request) {
  const TesseraLayer& layer = request.layer;
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  return {.height = number(request.inputs[0].size[1]),
          .width = number(request.inputs[0].size[2]),
          .channels = number(request.inputs[0].size[3]),
          .out_height = number(request.output.size[1]),
          .out_width = number(request.output.size[2]),
          .kernel_height = number(layer.kernel[0]),
          .kernel_width = number(layer.kernel[1]),
          .stride_height = number(layer.stride[0]),
          .stride_width = number(layer.stride[1]),
          .dilation_height = number(layer.dilation[0]),
          .dilation_width = number(layer.dilation[1]),
          .top = number(layer.padding[0]),
          .left = number(layer.padding[1]),
          .bottom = number(layer.padding_after[0]),
          .right = number(layer.padding_after[1])};
}

}  // namespace tessera::cuda
