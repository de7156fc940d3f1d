// BMP, PNM, GIF, TIFF and WebP against Pillow 13.0, bit for bit, and files of these that are cut, damaged or hostile.
// Pictures and expected hashes: tests/reference/formats.py.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "core/error.h"
#include "tests/vision/support.h"
#include "vision/decode.h"

namespace tessera {
namespace {

using Json = nlohmann::json;
using fixtures::digest;
using fixtures::expected_formats;
using fixtures::format_bytes_of;
using std::string_view_literals::operator""sv;

std::vector<std::byte> as_vector(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// The message of the InputError; none where there is a picture.
std::optional<std::string> error_of(std::span<const std::byte> bytes, const DecodeOptions& options = {}) {
  try {
    const Image image = decode(bytes, "photo", options);
    EXPECT_EQ(image.pixels.size(), image.stride() * static_cast<std::size_t>(image.height));
    return std::nullopt;
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find("photo: "), 0U) << error.what();
    return error.what();
  }
}

void expect_refused(std::span<const std::byte> bytes, const std::string& reason, const DecodeOptions& options = {}) {
  const auto error = error_of(bytes, options);
  ASSERT_TRUE(error.has_value()) << "decoded: " << reason;
  EXPECT_NE(error->find(reason), std::string::npos) << *error;
}

TEST(Formats, EqualPillow) {
  ASSERT_EQ(expected_formats().at("decoded").size(), 138U);
  for (const Json& entry : expected_formats().at("decoded")) {
    const std::string file = entry.at("file");
    for (const bool lenient : {false, true}) {
      const Image image = decode(format_bytes_of(file), file, {.lenient = lenient});
      EXPECT_EQ(image.width, entry.at("width").get<int>()) << file;
      EXPECT_EQ(image.height, entry.at("height").get<int>()) << file;
      EXPECT_EQ(digest(image.pixels), entry.at("sha256").get<std::string>()) << file;
    }
  }
}

TEST(Formats, OfKindsThatWereNotComparedAreRefusedByName) {
  for (const Json& entry : expected_formats().at("refused")) {
    const std::string file = entry.at("file");
    expect_refused(format_bytes_of(file), entry.at("reason").get<std::string>());
    expect_refused(format_bytes_of(file), "is not supported; convert it to PNG", {.lenient = true});
  }
}

// Where the last number of a PNM in numbers begins: a part of it is a number too, for Pillow as well.
std::size_t last_number(std::span<const std::byte> pnm) {
  const auto is_space = [](std::byte letter) { return letter == std::byte{' '} || letter == std::byte{'\n'}; };
  std::size_t at = pnm.size() - 1;
  while (is_space(pnm[at])) --at;
  while (!is_space(pnm[at])) --at;
  return at;
}

// What lies behind the last pixel may be missing.
TEST(Formats, CutAnywhereAreRefusedOrWhole) {
  testing::internal::CaptureStderr();
  for (const Json& entry : expected_formats().at("decoded")) {
    const std::string file = entry.at("file");
    const std::vector<std::byte> whole = format_bytes_of(file);
    const Image image = decode(whole, file);
    const std::size_t step = whole.size() > 300 ? 7 : 1;
    const bool in_numbers = whole[0] == std::byte{'P'} && whole[1] <= std::byte{'3'};
    const std::size_t end = in_numbers ? last_number(whole) : whole.size();
    for (std::size_t length = 0; length < end; length += step) {
      const auto part = std::span(whole).first(length);
      error_of(part, {.lenient = true});
      if (error_of(part)) continue;
      EXPECT_EQ(decode(part, file), image) << file << " cut to " << length;
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Formats, GiveWhatIsThereWhenLenient) {
  for (const auto& [file, kept] : {std::pair{"bmp_24bit_from_top.bmp", 700},
                                   {"bmp_rle8.bmp", 1150},
                                   {"pnm_p6_255.pnm", 100},
                                   {"gif_full_table.gif", 4000},
                                   {"tiff_lzw.tif", 0},
                                   {"webp_lossless.webp", 2400},
                                   {"webp_lossy.webp", 430}}) {
    std::vector<std::byte> part = format_bytes_of(file);
    const Image whole = decode(part, file);
    if (kept == 0) {  // the directory comes last
      std::fill_n(part.begin() + 2000, 100, std::byte{0xFF});
    } else {
      ASSERT_LT(static_cast<std::size_t>(kept), part.size()) << file;
      part.resize(static_cast<std::size_t>(kept));
    }
    EXPECT_TRUE(error_of(part).has_value()) << file;
    const Image image = decode(part, file, {.lenient = true});
    ASSERT_EQ(image.pixels.size(), whole.pixels.size()) << file;
    EXPECT_NE(image, whole) << file;
    std::size_t same = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) same += image.pixels[i] == whole.pixels[i] ? 1 : 0;
    EXPECT_GT(same, whole.pixels.size() / 5) << file;
  }
}

void put(std::vector<std::byte>& bytes, std::size_t at, std::string_view text) {
  const auto from = std::as_bytes(std::span(text));
  std::ranges::copy(from, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<std::byte> with(const char* file, std::size_t at, std::string_view text) {
  std::vector<std::byte> bytes = format_bytes_of(file);
  put(bytes, at, text);
  return bytes;
}

// Where the value of a tag of a little-endian TIFF stands.
std::size_t tag_place(const std::vector<std::byte>& tiff, unsigned tag) {
  const auto at = [&tiff](std::size_t i) { return std::to_integer<std::size_t>(tiff[i]); };
  std::size_t entry = (at(4) | at(5) << 8 | at(6) << 16) + 2;
  while ((at(entry) | at(entry + 1) << 8) != tag) entry += 12;
  return entry + 8;
}

std::vector<std::byte> tiff_with(const char* file, unsigned tag, std::string_view value) {
  std::vector<std::byte> bytes = format_bytes_of(file);
  put(bytes, tag_place(bytes, tag), value);
  return bytes;
}

TEST(Formats, OfHugeSizesAreRefusedBeforeMemoryIsTaken) {
  constexpr std::string_view k65000 = "\xE8\xFD"sv, k65000Each = "\xE8\xFD\0\0\xE8\xFD\0\0"sv;
  std::vector<std::byte> tiff = tiff_with("tiff_lzw.tif", 256, k65000);
  put(tiff, tag_place(tiff, 257), k65000);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  for (const bool lenient : {false, true}) {
    const DecodeOptions options{.lenient = lenient};
    expect_refused(with("bmp_24bit.bmp", 18, k65000Each), "65000x65000", options);
    expect_refused(with("bmp_rle8.bmp", 18, k65000Each), "65000x65000", options);
    expect_refused(as_vector("P6 65000 65000 255\nabc"), "65000x65000", options);
    expect_refused(as_vector("P1 65000 65000\n0"), "65000x65000", options);
    expect_refused(with("gif_plain.gif", 6, "\xE8\xFD\xE8\xFD"), "65000x65000", options);
    expect_refused(tiff, "65000x65000", options);
    // 16384 is the most that lossless WebP can say; the extended header of an animation has room for more.
    expect_refused(with("webp_lossless.webp", 21, "\xFF\xFF\xFF\x0F"), "16384x16384", options);
    expect_refused(with("webp_animation.webp", 24, "\x1F\x4E\0\x1F\x4E\0"sv), "20000x20000", options);
  }
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100 * 1024);  // KiB
}

TEST(Formats, OfNoSizeAreRefused) {
  expect_refused(with("bmp_24bit.bmp", 18, "\0\0\0\0"sv), "damaged");
  expect_refused(as_vector("P6 0 4 255\nabc"), "a size of 0x4");
  expect_refused(as_vector("P5 3 2 0\nabcdef"), "a maximum of 0");
  expect_refused(as_vector("P5 3 2 65536\nabcdef"), "a maximum of 65536");
  expect_refused(as_vector("P2 1 1 7 8"), "above the maximum");
  expect_refused(as_vector("P2 1 1 7 -1"), "no number where one is due");
  expect_refused(as_vector("P1 2 1 02"), "neither 0 nor 1");
  expect_refused(tiff_with("tiff_lzw.tif", 256, "\0\0\0\0"sv), "a size of 0x29");
  expect_refused(tiff_with("tiff_rgb_tiles.tif", 322, "\0\0\0\0"sv), "damaged");
  const std::vector<std::byte> gif = format_bytes_of("gif_plain.gif");
  const std::size_t frame = 13 + 16 * 3;
  ASSERT_EQ(gif[frame], std::byte{','});
  expect_refused(with("gif_plain.gif", frame + 5, "\0\0"sv), "a size of 0x11");
}

TEST(Formats, OfTilesBeyondTheFileAreRefused) {
  std::vector<std::byte> tiff = format_bytes_of("tiff_rgb_tiles.tif");
  const std::size_t entry = tag_place(tiff, 324);
  const auto at = [&tiff](std::size_t i) { return std::to_integer<std::size_t>(tiff[i]); };
  put(tiff, (at(entry) | at(entry + 1) << 8) + 4, "\0\0\x40\0"sv);  // of the second
  expect_refused(tiff, "not enough image data");
  EXPECT_FALSE(error_of(tiff, {.lenient = true}).has_value());
}

TEST(Formats, WithTilesMuchLargerThanThePictureAreRefused) {
  std::vector<std::byte> tiff = tiff_with("tiff_rgb_tiles.tif", 322, "\x00\x40"sv);  // 16384
  put(tiff, tag_place(tiff, 323), "\x00\x40"sv);
  const auto error = error_of(tiff);
  ASSERT_TRUE(error.has_value());
}

// giflib takes such a code for another, without a word.
TEST(Formats, GifCodesThatStandForNothingAreRefused) {
  std::vector<std::byte> gif = as_vector("GIF89a\x04\0\x01\0\0\0\0,\0\0\0\0\x04\0\x01\0\0\x02"sv);
  // 3 bits each: clear, 0, 7 (only up to 6 are there), end.
  gif.insert(gif.end(), {std::byte{2}, std::byte{0xC4}, std::byte{0x0B}, std::byte{0}, std::byte{';'}});
  expect_refused(gif, "a code that stands for nothing");
  EXPECT_FALSE(error_of(gif, {.lenient = true}).has_value());
}

TEST(Formats, SurviveRandomDamageWithoutAWord) {
  constexpr unsigned kSeed = 20260102;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  testing::internal::CaptureStderr();
  int refused = 0;
  for (const Json& entry : expected_formats().at("decoded")) {
    const std::string file = entry.at("file");
    const std::vector<std::byte> whole = format_bytes_of(file);
    for (int attempt = 0; attempt < 60; ++attempt) {
      std::vector<std::byte> damaged = whole;
      for (unsigned flips = 1 + random() % 8; flips > 0; --flips) {
        // Half of them at the start or the end, where headers are.
        const std::size_t range = random() % 2 == 0 ? damaged.size() : std::min<std::size_t>(damaged.size(), 100);
        const std::size_t at = random() % range;
        damaged[random() % 2 == 0 ? at : damaged.size() - 1 - at] ^= static_cast<std::byte>(1U << (random() % 8));
      }
      const DecodeOptions options{.max_pixels = 4'000'000, .lenient = attempt % 2 == 0};
      refused += error_of(damaged, options).has_value() ? 1 : 0;
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace tessera
