#pragma once
// From a file's bytes to RGB pixels, as Pillow's Image.open(file).convert("RGB").
//
// JPEG by libjpeg-turbo (slow integer DCT, fancy upsampling: Pillow's own settings); PNG by libpng; WebP by libwebp;
// TIFF by libtiff; GIF, BMP and PNM by own readers. Of pages and frames the first. The content decides, not the file's
// name. EXIF rotation is not applied, as in the reference scripts, but a TIFF's orientation is, as Pillow does. Alpha
// is dropped, not blended. 16 bits a channel keep the upper 8, but greys of 16 bits are clipped to 255, as Pillow does.
// A variant that was not compared with Pillow is refused by name.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/image.h"

namespace tessera {

enum class Decoder { kAuto, kStb };  // kStb: JPEG by stb_image, off by up to 3 of 255 (4:2:2: 21)
// "auto" or "stb". Throws UsageError.
Decoder decoder_from_string(std::string_view name);

struct DecodeOptions {
  Decoder decoder = Decoder::kAuto;
  std::int64_t max_pixels = 178'956'970;  // Pillow's limit; checked on the header, before memory is taken
  bool lenient = false;                   // take what a damaged picture still gives instead of failing
};

// `name` is for messages. Throws InputError, also for more than 1 GiB and where there is no memory for a large picture;
// ResourceError where there is none for a small one.
Image decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options = {});

// Reads a regular file whole. Throws InputError for what cannot be read, a directory, a pipe (without waiting on it),
// an empty file, more than 1 GiB.
std::vector<std::byte> read_picture_file(const std::filesystem::path& path);
// `size` bytes of it from `offset`, for a picture in an archive; `name` is for messages. Throws InputError.
std::vector<std::byte> read_picture_part(const std::filesystem::path& path, std::int64_t offset, std::int64_t size,
                                         const std::string& name);

}  // namespace tessera
