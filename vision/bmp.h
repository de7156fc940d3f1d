#pragma once
// BMP with the headers of OS/2 1 and Windows 3 to 5: 1, 4 and 8 bits by palette, RLE4 and RLE8, 16, 24 and 32 bits,
// bit fields, rows from the bottom or the top. Alpha is dropped.
//
// What Pillow does follows here too where it is odd: a palette of greys in order counts for none, so that indices
// beyond it are greys and not black; RLE data that ends early is an error, and its runs may not cross rows' ends.
// Pillow 12 reads some RLE4 otherwise; this is Pillow 13.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError "<name>: ...".
Image bmp_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
