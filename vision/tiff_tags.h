#pragma once
// What a TIFF's first directory says of its pixels, read as Pillow reads it. libtiff makes up what is missing; here it
// stays missing, so that what Pillow refuses is refused. Private to vision/.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "vision/palette.h"
#include "vision/picture_bytes.h"

namespace tessera {

struct TiffTags {
  bool big_endian = false;
  std::int64_t width = 0, height = 0;
  std::vector<std::uint64_t> bits{1};  // of each sample
  std::uint64_t samples = 1;
  std::vector<std::uint64_t> extra;           // what the samples behind the colours are
  std::vector<std::uint64_t> sample_formats;  // 1 or none: unsigned, 2: signed, 3: floating point
  std::uint64_t compression = 1, photometric = 0, fill_order = 1, planes = 1;
  std::uint64_t offsets = 0;  // of strips or tiles, how many
  bool tiled = false;
  std::vector<std::uint64_t> subsampling;  // of YCbCr; none where the file does not say
  Palette palette{};
  std::uint64_t orientation = 1;
};

// Throws InputError.
TiffTags tiff_tags(const PictureBytes& file);

}  // namespace tessera
