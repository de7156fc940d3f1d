#pragma once
// The first page of a TIFF or a little-endian BigTIFF, in strips or tiles, by libtiff, as Pillow reads it.
//
// Taken: black and white and grey of 1, 2, 4, 8, 12, 16 and 32 bits, with or without a sign, floating point of 32 bits,
// palettes, RGB and CMYK of 8 and 16 bits, YCbCr of 8; alpha is dropped, colours that are multiplied by it are divided
// by it. Grey of more than 8 bits is clipped to 255 and not scaled, other 16 bits keep their upper 8: Pillow's ways.
// Compressions: none, PackBits, LZW, Deflate, CCITT 1D, Group 3 and 4, JPEG. The orientation is applied, as
// Pillow does for TIFF alone. What Pillow reads otherwise than the file means it, or has not been compared, is refused
// by name: among others LZMA, WebP and old JPEG inside, CIE L*a*b*, separate planes but for RGB, RGBA and CMYK.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError "<name>: ...".
Image tiff_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
