#include "models/image_processors.h"

namespace tessera {

namespace {

constexpr int kBilinear = 2, kBicubic = 3;
constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};
constexpr std::array<float, 3> kClipMean{0.48145466F, 0.4578275F, 0.40821073F};
constexpr std::array<float, 3> kClipStd{0.26862954F, 0.26130258F, 0.27577711F};

constexpr std::array<ImageProcessor, 5> kProcessors{{
    {"ViTImageProcessor", kBilinear, kHalf, kHalf, 224, true, false},
    {"DeiTImageProcessor", kBicubic, kHalf, kHalf, 256, true, true},
    {"BitImageProcessor", kBicubic, kClipMean, kClipStd, 224, false, true},
    {"CLIPImageProcessor", kBicubic, kClipMean, kClipStd, 224, false, true},
    {"ConvNextImageProcessor", kBicubic, kHalf, kHalf, 384, false, false, true},
}};

}  // namespace

std::span<const ImageProcessor> image_processors() { return kProcessors; }

}  // namespace tessera
