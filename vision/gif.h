#pragma once
// The first frame of a GIF, on the logical screen, as Pillow composes it.
//
// What the frame does not cover is the transparent colour where the frame has one, else colour 0, never the background;
// the screen grows to hold the frame. Transparent pixels keep their colour. A colour table that is the grey ramp counts
// as none, so that with it in the frame and another in the file, the file's is taken; without any, indices are greys.
//
// The decoder is our own: giflib makes pixels of codes that no encoder can have written, where Pillow fails.

#include <cstddef>
#include <span>
#include <string>

#include "vision/decode.h"

namespace tessera {

// Throws InputError "<name>: ...".
Image gif_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options);

}  // namespace tessera
