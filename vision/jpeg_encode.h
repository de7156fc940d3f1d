#pragma once
// From RGB pixels to a JPEG file, by libjpeg-turbo.

#include <cstddef>
#include <vector>

#include "vision/image.h"

namespace tessera {

// Baseline, chroma at half the resolution (4:2:0), `quality` 1 to 100. The same bytes for the same pixels with one
// version of the library. Throws ResourceError when memory runs out.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace tessera
