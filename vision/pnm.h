#pragma once
// PBM, PGM and PPM, in numbers (P1 to P3) or bytes (P4 to P6), as Pillow reads them.
//
// Colours are scaled from the file's maximum to 255. A PGM whose maximum is above 255 is scaled to 65535 and clipped to
// 255, as Pillow does.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError "<name>: ...".
Image pnm_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
