#include "weights/known_files.h"

#include <algorithm>

namespace tessera {

namespace {

struct Row {
  std::string_view stem, digest;  // digest: the first digits of the file's SHA-256, which stand in its name; or ""
  const char* origin;
  int resize, crop;
  Filter filter;
};

constexpr Filter kLinear = Filter::kBilinear, kCubic = Filter::kBicubic;
constexpr const char *kV1 = "torchvision's IMAGENET1K_V1", *kV2 = "torchvision's IMAGENET1K_V2",
                     *kSwag = "torchvision's SWAG, end to end", *kSwagLinear = "torchvision's SWAG, linear",
                     *kDeit = "DeiT", *kDino = "DINO";

// From torchvision 0.29's own descriptions of its weights; DeiT and DINO are evaluated with torchvision's 256 / 224,
// bicubic.
constexpr Row kRows[] = {
    {"resnet18", "f37072fd", kV1, 256, 224, kLinear},
    {"resnet18", "5c106cde", kV1, 256, 224, kLinear},
    {"resnet34", "b627a593", kV1, 256, 224, kLinear},
    {"resnet34", "333f7ec4", kV1, 256, 224, kLinear},
    {"resnet50", "0676ba61", kV1, 256, 224, kLinear},
    {"resnet50", "19c8e357", kV1, 256, 224, kLinear},
    {"resnet50", "11ad3fa6", kV2, 232, 224, kLinear},
    {"resnet101", "63fe2227", kV1, 256, 224, kLinear},
    {"resnet101", "5d3b4d8f", kV1, 256, 224, kLinear},
    {"resnet101", "cd907fc2", kV2, 232, 224, kLinear},
    {"resnet152", "394f9c45", kV1, 256, 224, kLinear},
    {"resnet152", "b121ed2d", kV1, 256, 224, kLinear},
    {"resnet152", "f82ba261", kV2, 232, 224, kLinear},
    {"vit_b_16", "c867db91", kV1, 256, 224, kLinear},
    {"vit_b_32", "d86f8d99", kV1, 256, 224, kLinear},
    {"vit_l_16", "852ce7e3", kV1, 242, 224, kLinear},
    {"vit_l_32", "c7638314", kV1, 256, 224, kLinear},
    {"vit_b_16_swag", "9ac1b537", kSwag, 384, 384, kCubic},
    {"vit_l_16_swag", "4f3808c9", kSwag, 512, 512, kCubic},
    {"vit_h_14_swag", "80465313", kSwag, 518, 518, kCubic},
    {"vit_b_16_lc_swag", "4e70ced5", kSwagLinear, 224, 224, kCubic},
    {"vit_l_16_lc_swag", "4d563306", kSwagLinear, 224, 224, kCubic},
    {"vit_h_14_lc_swag", "c1eb923e", kSwagLinear, 224, 224, kCubic},
    {"deit_tiny_patch16_224", "a1311bcf", kDeit, 256, 224, kCubic},
    {"deit_small_patch16_224", "cd65a155", kDeit, 256, 224, kCubic},
    {"deit_base_patch16_224", "b5f2ef4d", kDeit, 256, 224, kCubic},
    {"dino_deitsmall16_pretrain", "", kDino, 256, 224, kCubic},
    {"dino_deitsmall8_pretrain", "", kDino, 256, 224, kCubic},
    {"dino_vitbase16_pretrain", "", kDino, 256, 224, kCubic},
    {"dino_vitbase8_pretrain", "", kDino, 256, 224, kCubic},
};

}  // namespace

std::optional<KnownFile> find_known_file(std::string_view name, std::string_view sha256) {
  const std::string_view stem = name.substr(0, name.rfind('.'));
  for (const Row& row : kRows) {
    const std::string whole = std::string(row.stem) + (row.digest.empty() ? "" : "-" + std::string(row.digest));
    if (stem != whole || !sha256.starts_with(row.digest)) continue;
    Preprocess p;  // ImageNet's mean and deviation
    p.resize = row.resize;
    p.crop = row.crop;
    p.filter = row.filter;
    return KnownFile{row.origin, p};
  }
  return std::nullopt;
}

}  // namespace tessera
