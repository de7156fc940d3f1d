#pragma once
// Resizing that equals the reference libraries bit for bit.
//
// Pillow (ImagingResample): two passes of 8-bit data; each output pixel is a weighted sum with coefficients rounded to
// 22 fixed-point bits (8 bits of result, 2 of headroom), half added, shifted and clipped. The filter's support grows
// with the reduction (antialias). The order of the passes depends on the release: see ResizeOrder.
//
// torchvision (transforms.v2, antialias = true, uint8 tensors on a CPU with AVX2: what Hugging Face's fast processors
// call; the older transforms.functional computes in floats and differs): the same two passes with the coefficients of
// each rounded to 16-bit integers, with as many fixed-point bits as the largest one leaves room for.

#include <string_view>

#include "vision/image.h"

namespace tessera {

enum class Filter { kBox, kBilinear, kBicubic, kLanczos };
std::string_view to_string(Filter filter);
// Throws UsageError naming the known filters.
Filter filter_from_string(std::string_view name);

enum class ResizeOrder {
  kPillow12,  // horizontal; vertical for a picture more than 100 times as high as wide whose height shrinks (12.3)
  kPillow13,  // horizontal; vertical where the height shrinks by more than twice as many pixels as the width does
              // (13.0)
  kHorizontalFirst,
  kVerticalFirst
};

struct PictureSize {
  int width = 0, height = 0;
};
// The part of the resized picture that is kept. Nothing else is computed.
struct Region {
  int left = 0, top = 0, width = 0, height = 0;
};

// Throw InternalError when a size is not positive or the region reaches outside.
Image resize_pillow(const Image& image, int width, int height, Filter filter,
                    ResizeOrder order = ResizeOrder::kPillow13);
Image resize_pillow_region(const Image& image, PictureSize size, Filter filter, const Region& region,
                           ResizeOrder order = ResizeOrder::kPillow13);

// Bilinear and bicubic. Throw UsageError for another filter.
Image resize_torchvision(const Image& image, int width, int height, Filter filter);
Image resize_torchvision_region(const Image& image, PictureSize size, Filter filter, const Region& region);

}  // namespace tessera
