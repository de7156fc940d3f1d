#pragma once
// What each decoder does between reading a picture's header and its pixels. Private to vision/.

#include <cstddef>
#include <cstdint>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError for a size of no pixels, or of more than options.max_pixels.
void check_pixels(std::int64_t width, std::int64_t height, const std::string& name, const DecodeOptions& options);

// A black picture of a checked size. Throws InputError where there is not enough memory for it: the picture asks for
// too much, and others can still be decoded.
Image blank_image(std::int64_t width, std::int64_t height, const std::string& name);

// From this size on, a lack of memory is reported as the picture's fault.
inline constexpr std::size_t kLargeAllocation = std::size_t{64} << 20;

}  // namespace tessera
