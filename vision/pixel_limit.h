#pragma once
// What each decoder does between a picture's header and its pixels. Private to vision/.

#include <cstddef>
#include <cstdint>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError for a size that is none or more pixels than options.max_pixels.
void check_pixels(std::int64_t width, std::int64_t height, const std::string& name, const DecodeOptions& options);

// Black, of a size that has been checked. Throws InputError where there is no memory for a picture as large as that:
// it is the picture that asks for too much, and others can still be decoded.
Image blank_image(std::int64_t width, std::int64_t height, const std::string& name);

// From so many bytes on, a lack of memory is laid to the picture.
inline constexpr std::size_t kLargeAllocation = std::size_t{64} << 20;

}  // namespace tessera
