// Files that break a rule of their format and that Pillow reads all the same: what each must give was found with Pillow
// 12.3 and 13.0.

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/vision/support.h"
#include "vision/decode.h"

namespace tessera {
namespace {

using fixtures::bytes_of;
using std::string_literals::operator""s;

std::string big_endian(std::size_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(number >> shift & 0xFF);
  return text;
}

std::string chunk(const std::string& kind, const std::string& data) {
  const std::string body = kind + data;
  return big_endian(data.size()) + body +
         big_endian(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
}

std::string header(char width, char height, char depth, char colour_type) {
  return chunk("IHDR", std::string{0, 0, 0, width, 0, 0, 0, height, depth, colour_type, 0, 0, 0});
}

std::string deflated(const std::string& data) {
  std::string out(compressBound(data.size()), '\0');
  uLongf length = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &length, reinterpret_cast<const Bytef*>(data.data()), data.size());
  out.resize(length);
  return out;
}

std::string image_data(const std::string& data) { return chunk("IDAT", deflated(data)); }

Image decoded(const std::string& chunks, const DecodeOptions& options = {}) {
  const std::string file = "\x89PNG\r\n\x1a\n" + chunks + chunk("IEND", "");
  return decode(std::as_bytes(std::span(file)), "odd", options);
}

using Pixels = std::vector<std::uint8_t>;

const std::string kTwoColours = "\x10\x20\x30\x40\x50\x60";
const std::string kRow{0, 0, 1, 2, static_cast<char>(255)};  // no filter, then four indices
const Pixels kColours{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0, 0, 0, 0, 0, 0};

TEST(OddPng, IndicesBeyondThePaletteAreBlackEachTime) {
  const std::string file = header(4, 1, 8, 3) + chunk("PLTE", kTwoColours) + image_data(kRow);
  for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
    for (const bool lenient : {false, true}) {
      for (int run = 0; run < 3; ++run) {
        const std::vector<std::uint8_t> dirt(4096, static_cast<std::uint8_t>(run + 1));  // for the heap
        EXPECT_EQ(decoded(file, {.decoder = decoder, .lenient = lenient}).pixels, kColours);
      }
    }
  }
  const std::string bits{0, '\x1B'};  // indices 0, 1, 2, 3 of two bits
  EXPECT_EQ(decoded(header(4, 1, 2, 3) + chunk("PLTE", kTwoColours) + image_data(bits)).pixels, kColours);
}

TEST(OddPng, WhatNoPixelDependsOnIsSteppedOver) {
  const std::string start = header(4, 1, 8, 3), palette = chunk("PLTE", kTwoColours), data = image_data(kRow);
  const std::string halves = deflated(kRow);
  const std::array<std::pair<const char*, std::string>, 12> odd{{
      {"an unknown critical chunk", start + chunk("ABCD", "what is this") + palette + data},
      {"a palette that is no multiple of three", start + chunk("PLTE", kTwoColours + "\x70\x70") + data},
      {"an earlier palette", start + chunk("PLTE", "\x01\x01\x01") + palette + data},
      {"a palette behind the data", start + palette + data + chunk("PLTE", "\x01\x01\x01")},
      {"transparency longer than the palette", start + palette + chunk("tRNS", std::string(200, '\x7F')) + data},
      {"empty transparency", start + palette + chunk("tRNS", "") + data},
      {"transparency behind the data", start + palette + data + chunk("tRNS", "\x01")},
      {"transparency before the palette", start + chunk("tRNS", "\x01") + palette + data},
      {"data behind the picture's end", start + palette + data + data},
      {"rows too many", start + palette + image_data(kRow + kRow + kRow)},
      {"data in pieces, one of them empty",
       start + palette + chunk("IDAT", halves.substr(0, 3)) + chunk("IDAT", "") + chunk("IDAT", halves.substr(3))},
      {"data behind another chunk", start + palette + data + chunk("tEXt", "a") + chunk("IDAT", "garbage")},
  }};
  for (const auto& [what, file] : odd) EXPECT_EQ(decoded(file).pixels, kColours) << what;
  const std::string grey_alpha = header(1, 1, 8, 4) + chunk("tRNS", std::string{0, 7}) + image_data({0, 9, 1});
  EXPECT_EQ(decoded(grey_alpha).pixels, (Pixels{9, 9, 9})) << "transparency beside alpha";
}

TEST(OddPng, WhatGivesNoWholePictureIsRefused) {
  const std::string start = header(4, 1, 8, 3), palette = chunk("PLTE", kTwoColours), data = image_data(kRow);
  const std::string frame = big_endian(0) + big_endian(2) + big_endian(1) + std::string(14, '\0');
  const std::array<std::pair<std::string, std::string>, 9> bad{{
      {"a palette picture without a palette", start + data},
      {"a palette of more than 256 entries", start + chunk("PLTE", std::string(771, 'p')) + data},
      {"no image data", start + palette},
      {"ot enough image data", start + palette + image_data(kRow.substr(0, 3))},
      {"ot enough image data", start + palette + chunk("IDAT", deflated(kRow).substr(0, 5)) + chunk("tEXt", "a") +
                                   chunk("IDAT", deflated(kRow).substr(5))},
      {"two IHDR chunks", start + start + palette + data},
      {"the first chunk is not IHDR", palette + start + data},
      {"an animation that begins with a part", start + palette + chunk("fcTL", frame) + data},
      {"a size of 0", header(0, 1, 8, 3) + palette + data},
  }};
  for (const auto& [reason, file] : bad) {
    try {
      decoded(file);
      ADD_FAILURE() << "decoded: " << reason;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
  for (const auto& [depth, colour_type] : {std::pair{16, 3}, {3, 0}, {8, 5}, {4, 2}}) {
    EXPECT_THROW(decoded(header(4, 1, static_cast<char>(depth), static_cast<char>(colour_type)) + palette + data),
                 InputError);
  }
}

// Where the marker with this code begins, from the start of the file.
std::vector<std::size_t> markers(const std::vector<std::byte>& jpeg, int code) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i + 1 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == static_cast<std::byte>(code)) found.push_back(i);
  }
  return found;
}

std::vector<std::byte> with_bytes_at(std::vector<std::byte> jpeg, std::size_t at, std::size_t count) {
  jpeg.insert(jpeg.begin() + static_cast<std::ptrdiff_t>(at), count, std::byte{0});
  return jpeg;
}

TEST(OddJpeg, BytesBeforeAnyMarkerAreSteppedOver) {
  constexpr int kRst1 = 0xD1, kDqt = 0xDB, kSof0 = 0xC0, kSof2 = 0xC2, kDht = 0xC4, kSos = 0xDA, kEoi = 0xD9;
  int tried = 0;
  for (const char* file : {"jpeg_420.jpg", "jpeg_progressive.jpg", "jpeg_restart.jpg"}) {
    const std::vector<std::byte> whole = bytes_of(file);
    const Image expected = decode(whole, file);
    for (const int code : {kRst1, kDqt, kSof0, kSof2, kDht, kSos, kEoi}) {
      for (const std::size_t at : markers(whole, code)) {
        ++tried;
        EXPECT_EQ(decode(with_bytes_at(whole, at, 2), file), expected) << file << " " << code << " at " << at;
        EXPECT_EQ(decode(with_bytes_at(whole, at, 100), file), expected) << file << " " << code << " at " << at;
      }
    }
  }
  EXPECT_GT(tried, 25);
  const std::vector<std::byte> whole = bytes_of("jpeg_420.jpg");
  const DecodeOptions stb{.decoder = Decoder::kStb};
  for (const int code : {kDqt, kSof0}) {
    EXPECT_EQ(decode(with_bytes_at(whole, markers(whole, code).front(), 2), "stb", stb), decode(whole, "stb", stb));
  }
}

// Progressive pictures of which a scan is cut out, or one stands twice.
TEST(OddJpeg, OfScansThatLackStbGivesTheSameEachTime) {
  constexpr int kSos = 0xDA;
  const std::vector<std::byte> whole = bytes_of("jpeg_progressive.jpg");
  const std::vector<std::size_t> scans = markers(whole, kSos);
  ASSERT_GT(scans.size(), 5U);
  for (std::size_t scan = 0; scan + 1 < scans.size(); ++scan) {
    std::vector<std::byte> without = whole;
    const auto begin = without.begin() + static_cast<std::ptrdiff_t>(scans[scan]);
    // Up to the next marker, a table of the next scan or that scan.
    auto end = begin + 2;
    while (end + 1 < without.end() && !(*end == std::byte{0xFF} && *(end + 1) != std::byte{0})) ++end;
    without.erase(begin, end);
    for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
      const auto once = [&](int fill) {
        const std::vector<std::uint8_t> dirt(1 << 16, static_cast<std::uint8_t>(fill));  // for the heap
        try {
          return decode(without, "without", {.decoder = decoder}).pixels;
        } catch (const InputError&) {
          return Pixels{};
        }
      };
      EXPECT_EQ(once(1), once(200)) << scan;
    }
  }
}

// 5 x 4 greys of the lossless process, each predicted from the one before it, as Pillow 13 with libjpeg-turbo 3.2 reads
// them. libjpeg-turbo 2 does not have the process.
TEST(OddJpeg, LosslessIsWhatPillowReadsOrRefusedByName) {
  const std::string file =
      "\xFF\xD8\xFF\xC3\x00\x0B\x08\x00\x04\x00\x05\x01\x01\x11\x00"
      "\xFF\xC4\x00\x1C\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x01\x02\x03\x04\x05\x06\x07\x08\xFF\xDA\x00\x08\x01\x01\x00\x01\x00\x00"
      "\x71\x8D\x2B\x4A\xD2\xB4\xAF\x6D\xA5\x69\x5A\x56\x95\xED\xB4\xB0\x48\xD2\xB4\xB0\xB4\xD2\xB4\xAD\x2B"
      "\x4B\xFF\xD9"s;
  constexpr std::array<std::uint8_t, 20> kGreys{13,  50,  87, 124, 161, 104, 141, 178, 215, 252,
                                                195, 232, 13, 50,  87,  30,  67,  104, 141, 178};
  for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
    for (const bool lenient : {false, true}) {
      try {
        const Image image = decode(std::as_bytes(std::span(file)), "odd", {.decoder = decoder, .lenient = lenient});
        EXPECT_EQ(decoder, Decoder::kAuto);
        ASSERT_EQ(image.pixels.size(), kGreys.size() * 3);
        for (std::size_t i = 0; i < image.pixels.size(); ++i) EXPECT_EQ(image.pixels[i], kGreys[i / 3]) << i;
      } catch (const InputError& error) {
        const std::string text = error.what();
        EXPECT_TRUE(text.starts_with("odd: a JPEG of ")) << text;
        EXPECT_TRUE(text.ends_with(" is not supported; convert it to PNG")) << text;
      }
    }
  }
}

TEST(LargeFiles, AreErrorsOfTheirPictures) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "tessera-large.jpg";
  std::filesystem::remove(path);
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  std::filesystem::resize_file(path, std::uintmax_t{60} << 30);  // a hole
  EXPECT_THROW(read_picture_file(path), InputError);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace tessera
