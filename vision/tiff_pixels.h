#pragma once
// From a TIFF's samples to RGB, as Pillow converts them. Private to vision/.

#include <cstddef>
#include <cstdint>

#include "vision/picture_bytes.h"
#include "vision/tiff_tags.h"

namespace tessera {

enum class TiffColour {
  kGrey,   // also black and white
  kIndex,  // of a palette
  kRgb,
  kRgbTimesAlpha,
  kCmyk,
  kYcbcr,
};

struct TiffPixels {
  TiffColour colour = TiffColour::kGrey;
  std::size_t bits = 0, samples = 0;  // samples: of a pixel, those that no colour follows from too
  bool white_is_zero = false;
  std::uint64_t format = 1;  // as TiffTags::sample_formats
  bool separate = false;     // each sample in a plane of its own
  std::size_t planes = 1;    // that are read
};

constexpr std::uint64_t kTiffRaw = 1, kTiffJpeg = 7;  // of TiffTags::compression

// The table OPEN_INFO of Pillow's TiffImagePlugin without what its decoders then get wrong. Throws InputError.
TiffPixels tiff_pixels(const PictureBytes& file, const TiffTags& tags);

// `count` pixels of a row whose samples lie side by side, 16 and 32 bits in this machine's order. `rgb` gets 3 bytes a
// pixel.
void tiff_row_to_rgb(const TiffPixels& pixels, const Palette& palette, const std::uint8_t* row, std::size_t count,
                     std::uint8_t* rgb);

// One sample a pixel, of 8 or 16 bits, to every `step`th byte: separate planes are put together before they are
// converted.
void tiff_plane_to_samples(const TiffPixels& pixels, const std::uint8_t* row, std::size_t count, std::size_t step,
                           std::uint8_t* samples);

// 8-bit samples side by side, of RGB, RGB times alpha or CMYK.
void tiff_samples_to_rgb(const TiffPixels& pixels, const std::uint8_t* samples, std::size_t step, std::size_t count,
                         std::uint8_t* rgb);

}  // namespace tessera
