#pragma once
// ResNet (He et al. 2015, arXiv:1512.03385), names and stride placement as timm's resnet18 ... resnet152.

#include <array>
#include <cstdint>

#include "engine/graph.h"

namespace tessera {

struct ResNetParameters {
  std::int64_t image_size = 224;
  bool bottleneck = true;                          // table 1: two 3x3 convolutions (18, 34), or 1x1, 3x3, 1x1
  std::array<std::int64_t, 4> depths{3, 4, 6, 3};  // blocks of the four stages
  std::int64_t width = 64;                         // channels of the stem and the first stage; doubled at each stage
  std::int64_t classes = 1000;                     // 0: the output is the pooled features
  double norm_eps = 1e-5;
};

Graph build_resnet(const ResNetParameters& parameters, std::int64_t max_batch);

}  // namespace tessera
