#pragma once
// JPEG by libjpeg-turbo with Pillow's settings.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"
#include "vision/image.h"

namespace tessera {

// Throws InputError "<name>: <libjpeg's reason>".
Image jpeg_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
