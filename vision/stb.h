#pragma once
// stb_image behind our own interface: decodes JPEG from memory; what it may allocate is bounded and filled with zeros.
// The file's segments are checked first (jpeg_check.h).

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
// Allocates at most some ten times width * height * 4 bytes.
Image stb_decode(std::span<const std::byte> bytes, const std::string& name, const StbHeader& header);

}  // namespace tessera
