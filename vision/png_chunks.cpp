#include "vision/png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "core/error.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;

std::uint32_t big_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes.first(4)) value = (value << 8) | std::to_integer<std::uint32_t>(byte);
  return value;
}

// Up to 1 GiB, as a picture's file may be: zlib counts in 32 bits.
std::uint32_t checksum(Bytes bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())));
}

struct Chunk {
  std::string_view kind;
  Bytes data;
  bool cut = false;  // the file ends in it
};

class ChunkWalk {
 public:
  ChunkWalk(Bytes bytes, const std::string& name, bool lenient) : name_(name), lenient_(lenient) {
    constexpr std::size_t kSignature = 8;
    rest_ = bytes.subspan(std::min(kSignature, bytes.size()));
  }

  PngChunks run() {
    bool in_data = false, behind_data = false;
    for (bool first = true;; first = false) {
      const Chunk chunk = next();
      if (first != (chunk.kind == "IHDR")) fail(first ? "the first chunk is not IHDR" : "two IHDR chunks");
      if (chunk.kind == "IHDR") read_header(chunk.data);
      if (!in_data && !behind_data) read_before_data(chunk);
      if (chunk.kind == "IDAT" && !behind_data) {
        in_data = true;
        found_.data.push_back(chunk.data);
      } else if (in_data) {
        behind_data = true;
      }
      if (chunk.kind == "IEND" || chunk.cut) break;
    }
    if (found_.data.empty()) fail("no image data");
    if (found_.colour_type() == kPalette && found_.palette.empty()) fail("a palette picture without a palette");
    return found_;
  }

 private:
  static constexpr int kPalette = 3;

  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(name_ + ": damaged PNG (" + reason + ")");
  }

  // At the end of a lenient picture a chunk that is cut: what there is of it.
  Chunk next() {
    constexpr std::size_t kLength = 4, kKind = 4, kCrc = 4;
    if (rest_.size() < kLength + kKind + kCrc) {
      if (!lenient_ || found_.header.empty()) fail("the file ends before the IEND chunk");
      return {.kind = "", .data = {}, .cut = true};
    }
    const std::size_t length = big_endian(rest_);
    const bool cut = length > rest_.size() - (kLength + kKind + kCrc);
    if (cut && !lenient_) fail("a chunk reaches beyond the end of the file");
    const Bytes kind_and_data = cut ? rest_.subspan(kLength) : rest_.subspan(kLength, kKind + length);
    const std::string_view kind(reinterpret_cast<const char*>(kind_and_data.data()), kKind);
    if (!cut && !lenient_ && checksum(kind_and_data) != big_endian(rest_.subspan(kLength + kKind + length))) {
      fail("wrong checksum of a chunk");
    }
    rest_ = cut ? Bytes{} : rest_.subspan(kLength + kKind + length + kCrc);
    return {kind, kind_and_data.subspan(kKind), cut};
  }

  void read_header(Bytes data) {
    constexpr std::size_t kHeader = 13;
    if (data.size() != kHeader) fail("an IHDR chunk of " + std::to_string(data.size()) + " bytes");
    found_.header = data;
    for (const std::int64_t length : {found_.width(), found_.height()}) {
      constexpr std::int64_t kLargest = 0x7FFFFFFF;
      if (length == 0 || length > kLargest) fail("a size of " + std::to_string(length));
    }
  }

  void read_before_data(const Chunk& chunk) {
    constexpr std::size_t kMostEntries = 256;
    if (chunk.kind == "PLTE" && found_.colour_type() == kPalette) {
      if (chunk.data.size() / 3 > kMostEntries) fail("a palette of more than 256 entries");
      found_.palette = chunk.data;
    }
    // The first frame of an animation is what Pillow shows; it may be less than the picture.
    if (chunk.kind == "fdAT") fail("an animation without a first picture");
    if (chunk.kind != "fcTL") return;
    constexpr std::size_t kSize = 4, kFrame = 26;
    const bool whole =
        chunk.data.size() >= kFrame && std::ranges::equal(chunk.data.subspan(kSize, 8), found_.header.first(8)) &&
        std::ranges::all_of(chunk.data.subspan(kSize + 8, 8), [](std::byte byte) { return byte == std::byte{0}; });
    if (!whole) fail("an animation that begins with a part of the picture");
  }

  Bytes rest_;
  const std::string& name_;
  bool lenient_;
  PngChunks found_;
};

}  // namespace

std::int64_t PngChunks::width() const { return big_endian(header); }
std::int64_t PngChunks::height() const { return big_endian(header.subspan(4)); }

PngChunks png_chunks(Bytes bytes, const std::string& name, bool lenient) {
  return ChunkWalk(bytes, name, lenient).run();
}

}  // namespace tessera
