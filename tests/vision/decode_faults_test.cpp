// Files that are no pictures or damaged ones: each must be an InputError that names the file, and never a crash.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/error.h"
#include "tests/vision/support.h"
#include "vision/decode.h"
#include "vision/file_kinds.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using fixtures::bytes_of;

void expect_input_error(std::span<const std::byte> bytes, const std::string& why, const std::string& reason = "",
                        const DecodeOptions& options = {}) {
  try {
    decode(bytes, "photo.JPEG", options);
    ADD_FAILURE() << why << " was decoded";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find("photo.JPEG: "), 0U) << error.what();
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Decode, RefusesPicturesCutAtAnyByte) {
  for (const char* file : {"jpeg_420.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_rgb.png"}) {
    const std::vector<std::byte> whole = bytes_of(file);
    ASSERT_GT(whole.size(), 500U);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      expect_input_error(std::span(whole).first(length), fmt::format("{} cut to {}", file, length));
    }
  }
}

TEST(Decode, TakesATruncatedJpegWhenLenient) {
  const std::vector<std::byte> whole = bytes_of("jpeg_444.jpg");
  const Image image = decode(std::span(whole).first(whole.size() / 2), "half", {.lenient = true});
  EXPECT_EQ(image.width, 67);
}

TEST(Decode, RefusesAPngWithAWrongChecksumUnlessLenient) {
  const std::vector<std::byte> whole = bytes_of("png_rgb.png");
  constexpr std::size_t kEndChunk = 12, kChecksum = 4;
  std::vector<std::byte> damaged = whole;
  damaged[damaged.size() - kEndChunk - kChecksum] ^= std::byte{1};  // of the picture data
  expect_input_error(damaged, "a wrong checksum", "checksum");
  EXPECT_EQ(decode(damaged, "damaged", {.lenient = true}), decode(whole, "whole"));
}

TEST(Decode, RefusesAProgressiveJpegOfThousandsOfScans) {
  const std::vector<std::byte> whole = bytes_of("jpeg_progressive.jpg");
  constexpr std::array<std::byte, 2> kStartOfScan{std::byte{0xFF}, std::byte{0xDA}};
  const auto scan = std::find_end(whole.begin(), whole.end(), kStartOfScan.begin(), kStartOfScan.end());
  const auto end = whole.end() - 2;
  ASSERT_LT(scan, end);
  std::vector<std::byte> bomb(whole.begin(), end);
  for (int i = 0; i < 1000; ++i) bomb.insert(bomb.end(), scan, end);
  bomb.insert(bomb.end(), end, whole.end());
  expect_input_error(bomb, "a thousand scans", "more than 500 scans", {.lenient = true});
}

TEST(Decode, BoundsWhatASmallPngUnpacksTo) {
  // 40 MiB of zeros behind the header of a small picture, which takes as many as it has pixels, as Pillow does.
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const Image image = decode(bytes_of("fault_bomb.png"), "a bomb");
  EXPECT_EQ(image.pixels, std::vector<std::uint8_t>(31 * 23 * 3));
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);  // KiB
}

TEST(Decode, RefusesWhatIsNoPicture) {
  expect_input_error({}, "nothing");
  expect_input_error(as_bytes("<!DOCTYPE html><html><body>404</body></html>"), "HTML");
  expect_input_error(as_bytes("\xFF\xD8\xFF"), "a bare JPEG marker");
  expect_input_error(as_bytes("\x89PNG\r\n\x1a\n"), "a bare PNG signature");
}

TEST(Decode, RefusesHugePicturesBeforeTakingMemory) {
  // A valid PNG header of 65000 x 65000, and the same size in a JPEG's frame header.
  const std::vector<std::byte> png = bytes_of("fault_huge.png");
  const auto put = [](std::vector<std::byte>& bytes, std::size_t at, unsigned value, int width) {
    for (int i = 0; i < width; ++i)
      bytes[at + static_cast<std::size_t>(i)] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  };
  expect_input_error(png, "a huge PNG", "65000x65000");
  std::vector<std::byte> jpeg = bytes_of("jpeg_444.jpg");
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == std::byte{0xC0}) {
      put(jpeg, i + 5, 65000, 2);
      put(jpeg, i + 7, 65000, 2);
    }
  }
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  expect_input_error(jpeg, "a huge JPEG", "65000x65000");
  expect_input_error(jpeg, "a huge JPEG", "", {.decoder = Decoder::kStb});
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200 * 1024);  // KiB
  EXPECT_THROW(decode(bytes_of("png_rgb.png"), "small", {.max_pixels = 31 * 23 - 1}), InputError);
}

// stb_image 2.27 writes or reads beyond its tables on these.
TEST(Decode, GivesStbNoJpegWithBadTables) {
  const std::vector<std::byte> whole = bytes_of("jpeg_420.jpg");
  constexpr std::array<std::byte, 2> kHuffman{std::byte{0xFF}, std::byte{0xC4}};
  const auto table = std::search(whole.begin(), whole.end(), kHuffman.begin(), kHuffman.end());
  ASSERT_LT(table, whole.end() - 40);
  const auto at = table - whole.begin();
  std::vector<std::byte> large = whole;
  for (std::ptrdiff_t bits = 0; bits < 16; ++bits) large[static_cast<std::size_t>(at + 5 + bits)] = std::byte{0xFF};
  expect_input_error(large, "4080 Huffman codes", "Huffman table", {.decoder = Decoder::kStb});
  std::vector<std::byte> without = whole;
  const std::ptrdiff_t length = 2 + std::to_integer<int>(table[2]) * 256 + std::to_integer<int>(table[3]);
  without.erase(without.begin() + at, without.begin() + at + length);
  expect_input_error(without, "a missing table", "without its Huffman table", {.decoder = Decoder::kStb});
}

TEST(Decode, SurvivesRandomDamage) {
  constexpr unsigned kSeed = 20260101;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  int refused = 0;
  for (const char* file : {"jpeg_420_noise.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_rgb.png",
                           "png_palette.png", "png_rgba16.png"}) {
    const std::vector<std::byte> whole = bytes_of(file);
    for (int attempt = 0; attempt < 500; ++attempt) {
      std::vector<std::byte> damaged = whole;
      for (unsigned flips = 1 + random() % 8; flips > 0; --flips) {
        damaged[random() % damaged.size()] ^= static_cast<std::byte>(1U << (random() % 8));
      }
      if (random() % 4 == 0) damaged.resize(random() % damaged.size());
      for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
        try {
          // Lenient, so that damaged files reach the decoders.
          const DecodeOptions options{.decoder = decoder, .max_pixels = 4'000'000, .lenient = attempt % 2 == 0};
          const Image image = decode(damaged, file, options);
          EXPECT_EQ(image.pixels.size(), image.stride() * static_cast<std::size_t>(image.height));
        } catch (const InputError&) {
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(ReadPictureFile, RefusesWhatIsNoFileWithoutWaiting) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("tessera-vision-{}", ::getpid());
  fs::create_directories(folder);
  const fs::path pipe = folder / "pipe.jpg", loop = folder / "loop.jpg", empty = folder / "empty.jpg";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink(loop, loop);
  std::ofstream(empty).close();
  for (const fs::path& path : {folder, pipe, loop, empty, folder / "missing.jpg"}) {
    try {
      read_picture_file(path);
      ADD_FAILURE() << path << " was read";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
  const fs::path closed = folder / "closed.jpg";
  std::ofstream(closed) << "x";
  fs::permissions(closed, fs::perms::none);
  if (::geteuid() != 0) {  // root may read it
    EXPECT_THROW(read_picture_file(closed), InputError);
  }
  fs::remove_all(folder);
}

// A fuzzer found four letters that stood where eight were looked for.
TEST(OtherKinds, AreNoneAtEveryLengthThatIsTooShort) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view whole : {"RIFF\x10\0\0\0WEBP"sv, "ftypftypheic"sv, "BM\x46\0\0\0\0\0\0\0"sv, "P6 1"sv,
                                       "MM\0*"sv, "II+\0"sv, "GIF89a"sv, "\x89PNG\r\n\x1A\n"sv, "\xFF\xD8\xFF"sv}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(picture_kind(whole.substr(0, length)), "") << whole << ", " << length;
    }
    EXPECT_NE(picture_kind(whole), "") << whole;
  }
  EXPECT_EQ(picture_kind("ftyp"), "");
}

TEST(OtherKinds, AreNamedWithWhatToDo) {
  using std::string_view_literals::operator""sv;
  const auto expect_message = [](std::string_view bytes, const std::string& end) {
    try {
      decode(std::as_bytes(std::span(bytes)), "phone.jpg");
      ADD_FAILURE() << "decoded";
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()),
                "phone.jpg: no picture that is read (JPEG, PNG, WebP, GIF, BMP, TIFF, PNM)" + end);
    }
  };
  expect_message(
      "\0\0\0\x18"
      "ftypheic"sv,
      ", but one of the kind HEIC; convert it to PNG");
  expect_message(
      "\0\0\0\x1c"
      "ftypavif"sv,
      ", but one of the kind AVIF; convert it to PNG");
  expect_message("<html>"sv, "");
}

// Headers alone, which are of the kinds that are read.
TEST(OtherKinds, ThatAreReadAreDamagedWhereThereIsNoMoreThanAMark) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view bytes :
       {"RIFF\x10\0\0\0WEBPVP8 "sv, "II*\0\x08\0\0\0"sv, "MM\0*\0\0\0\x08"sv, "II+\0\x08\0\0\0"sv,
        "GIF89a\x01\0\x01\0"sv, "BM\x46\0\0\0\0\0\0\0"sv, "P6 1 1 255\n"sv}) {
    expect_input_error(as_bytes(bytes), std::string(bytes), "damaged");
  }
}

}  // namespace
}  // namespace tessera
