// Decoding against Pillow 12.3, bit for bit. Expected hashes: tests/reference/vision.py.

#include "vision/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/vision/support.h"

namespace tessera {
namespace {

using Json = nlohmann::json;
using fixtures::bytes_of;
using fixtures::digest;
using fixtures::expected;

TEST(Decode, EqualsPillowForEveryFormat) {
  ASSERT_EQ(expected().at("decoded").size(), 53U);
  for (const Json& entry : expected().at("decoded")) {
    const std::string file = entry.at("file");
    const Image image = decode(bytes_of(file), file);
    EXPECT_EQ(image.width, entry.at("width").get<int>()) << file;
    EXPECT_EQ(image.height, entry.at("height").get<int>()) << file;
    EXPECT_EQ(digest(image.pixels), entry.at("sha256").get<std::string>()) << file;
  }
}

TEST(Decode, ByStbIsNearForJpeg) {
  for (const auto& [file, bound] : {std::pair{"jpeg_444.jpg", 3}, {"jpeg_grey.jpg", 3}, {"jpeg_422.jpg", 21}}) {
    const Image exact = decode(bytes_of(file), file);
    const Image near = decode(bytes_of(file), file, {.decoder = Decoder::kStb});
    ASSERT_EQ(near.pixels.size(), exact.pixels.size());
    int worst = 0;
    for (std::size_t i = 0; i < near.pixels.size(); ++i) {
      worst = std::max(worst, std::abs(int{near.pixels[i]} - int{exact.pixels[i]}));
    }
    EXPECT_LE(worst, bound) << file;
  }
}

TEST(Decode, LooksAtTheContentAndNotAtTheName) {
  EXPECT_EQ(decode(bytes_of("png_named.JPEG"), "png_named.JPEG"), decode(bytes_of("png_rgb.png"), "png_rgb.png"));
}

TEST(Decode, LeavesExifRotationAlone) {
  const Image image = decode(bytes_of("jpeg_rotated.jpg"), "jpeg_rotated.jpg");
  EXPECT_EQ(image.width, 67);
  EXPECT_EQ(image.height, 45);
}

TEST(Decode, KnowsItsDecodersByName) {
  EXPECT_EQ(decoder_from_string("auto"), Decoder::kAuto);
  EXPECT_EQ(decoder_from_string("stb"), Decoder::kStb);
  EXPECT_THROW(decoder_from_string("turbo"), UsageError);
}

}  // namespace
}  // namespace tessera
