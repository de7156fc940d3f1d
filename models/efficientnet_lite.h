#pragma once
// EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-excite and with ReLU6, for integer hardware).
// Names as timm's efficientnet_lite0. tf_efficientnet_lite0 is the original: TensorFlow's "same" padding, epsilon 1e-3.

#include <cstdint>

#include "engine/graph.h"

namespace tessera {

struct EfficientNetLiteParameters {
  std::int64_t image_size = 224;
  std::int64_t classes = 1000;  // 0: the output is the pooled features
  double norm_eps = 1e-5;
  bool same_padding = false;  // TensorFlow's; otherwise (kernel - 1) / 2 on all sides
};

Graph build_efficientnet_lite(const EfficientNetLiteParameters& parameters, std::int64_t max_batch);

}  // namespace tessera
