#pragma once
// PNG by libpng, which is given only the chunks that pixels follow from (png_chunks.h): how odd the others may be is
// decided there, as Pillow decides it.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Palette entries that the file does not have are black, as Pillow's are. Throws InputError "<name>: ...".
Image png_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
