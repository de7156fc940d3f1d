#pragma once
// Whether a PNG file is whole: stb_image looks at no checksum, so that it decodes a damaged file to wrong pixels.

#include <cstddef>
#include <span>
#include <string>

namespace tessera {

// Walks over the chunks behind the signature. Throws InputError "<name>: ..." for a chunk that reaches beyond the file,
// a checksum (CRC-32, PNG specification 5.5) that does not fit, a first chunk that is not IHDR, no IEND at the end.
void check_png(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tessera
