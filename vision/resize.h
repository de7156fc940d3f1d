#pragma once
// Resizing bit for bit as the reference libraries do it.
//
// Pillow 12 (ImagingResample): two passes of 8-bit data, horizontal first; each output pixel is a weighted sum with
// coefficients rounded to 22 fixed-point bits (8 bits of result, 2 of headroom), half added, shifted and clipped. The
// filter's support grows with the reduction (antialias). Pillow 13 does the vertical pass first when the height shrinks
// much more than the width; kVerticalFirst gives that order.
//
// torchvision (antialias = true on uint8 tensors, as Hugging Face's fast processors): the same two passes with the
// coefficients of each pass rounded to 16-bit integers, with as many fixed-point bits as the largest one leaves room for.

#include <string_view>

#include "vision/image.h"

namespace tessera {

enum class Filter { kBox, kBilinear, kBicubic, kLanczos };
std::string_view to_string(Filter filter);
// Throws UsageError naming the known filters.
Filter filter_from_string(std::string_view name);

enum class ResizeOrder { kHorizontalFirst, kVerticalFirst };

// Throws InternalError when a size is not positive.
Image resize_pillow(const Image& image, int width, int height, Filter filter,
                    ResizeOrder order = ResizeOrder::kHorizontalFirst);

// Bilinear and bicubic. Throws UsageError for another filter.
Image resize_torchvision(const Image& image, int width, int height, Filter filter);

}  // namespace tessera
