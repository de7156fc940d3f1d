#pragma once
// WebP by libwebp, lossy and lossless, still or the first frame of an animation, as Pillow reads it.
//
// Alpha is dropped; where the first frame leaves the canvas uncovered it is black.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError "<name>: ...".
Image webp_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
