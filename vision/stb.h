#pragma once
// stb_image behind a face of our own: JPEG from memory, with a bound on what it may allocate, which is zeros. The
// file's segments are checked first (jpeg_check.h).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "vision/image.h"

namespace tessera {

struct StbHeader {
  int width = 0, height = 0;
};

// Throw InputError "<name>: <stb's reason>".
StbHeader stb_header(std::span<const std::byte> bytes, const std::string& name);
// Allocates some ten times width * height * 4 bytes at the most.
Image stb_decode(std::span<const std::byte> bytes, const std::string& name, const StbHeader& header);

}  // namespace tessera
