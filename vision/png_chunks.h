#pragma once
// The parts of a PNG file that its pixels follow from, found as Pillow finds them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tessera {

struct PngChunks {
  std::span<const std::byte> header;             // the 13 bytes of IHDR
  std::span<const std::byte> palette;            // of PLTE, R G B for each entry; empty where there is none
  std::vector<std::span<const std::byte>> data;  // of the first IDAT chunks that follow one another

  std::int64_t width() const;
  std::int64_t height() const;
  int depth() const { return std::to_integer<int>(header[8]); }
  int colour_type() const { return std::to_integer<int>(header[9]); }
};

// Walks over the chunks behind the signature. What no pixel depends on is stepped over, critical or not: unknown
// chunks, transparency, palettes of pictures without one, image data behind another chunk. Throws InputError "<name>:
// ..." for a chunk that reaches beyond the file, a checksum (CRC-32, PNG specification 5.5) that does not fit, a first
// chunk that is not IHDR, a palette picture without a palette, an animation that begins with a part of the picture, no
// image data, no IEND at the end. `lenient` takes wrong checksums and a file that is cut behind the header.
PngChunks png_chunks(std::span<const std::byte> bytes, const std::string& name, bool lenient);

}  // namespace tessera
