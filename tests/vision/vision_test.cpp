// Decoding, resizing and preprocessing against Pillow 12, timm, transformers and torchvision. Expected values are made by
// tests/reference/vision.py.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <filesystem>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "vision/decode.h"
#include "vision/labels.h"
#include "vision/preprocess.h"
#include "vision/resize.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kData = fs::path(TESSERA_TEST_DATA) / "vision";

const Json& expected() {
  static const Json json = [] {
    std::ifstream file(kData / "expected.json");
    return Json::parse(file);
  }();
  return json;
}

std::string digest(const std::vector<std::uint8_t>& bytes) {
  unsigned char hash[32];
  EVP_Digest(bytes.data(), bytes.size(), hash, nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

// The same integers as formula() of tests/reference/vision.py.
Image formula_picture(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::int64_t noise = (std::int64_t{x} * 7919 + std::int64_t{y} * 104729 + std::int64_t{x} * y * 31) % 23;
      image.pixels.push_back(static_cast<std::uint8_t>((x * 255 / std::max(1, width - 1) + noise) % 256));
      image.pixels.push_back(
          static_cast<std::uint8_t>((y * 255 / std::max(1, height - 1) + (x / 7 + y / 5) % 2 * 60) % 256));
      image.pixels.push_back(static_cast<std::uint8_t>(((x + y) * 3 + noise * 5) % 256));
    }
  }
  return image;
}

std::vector<std::byte> bytes_of(const std::string& file) { return read_picture_file(kData / file); }

TEST(Decode, EqualsPillowForEveryFormat) {
  ASSERT_GE(expected().at("decoded").size(), 28U);
  for (const Json& entry : expected().at("decoded")) {
    const std::string file = entry.at("file");
    const Image image = decode(bytes_of(file), file);
    EXPECT_EQ(image.width, entry.at("width").get<int>()) << file;
    EXPECT_EQ(image.height, entry.at("height").get<int>()) << file;
    EXPECT_EQ(digest(image.pixels), entry.at("sha256").get<std::string>()) << file;
  }
}

TEST(Decode, ByStbIsNearForJpeg) {
  const Image exact = decode(bytes_of("jpeg_444.jpg"), "jpeg_444.jpg");
  const Image near = decode(bytes_of("jpeg_444.jpg"), "jpeg_444.jpg", {.decoder = Decoder::kStb});
  ASSERT_EQ(near.pixels.size(), exact.pixels.size());
  int worst = 0;
  for (std::size_t i = 0; i < near.pixels.size(); ++i) {
    worst = std::max(worst, std::abs(int{near.pixels[i]} - int{exact.pixels[i]}));
  }
  EXPECT_LE(worst, 3);
}

TEST(Resize, EqualsPillowForEverySizeAndFilter) {
  ASSERT_EQ(expected().at("resized").size(), 10U * 6U * 4U);
  for (const Json& entry : expected().at("resized")) {
    const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
    const Image found = resize_pillow(picture, entry.at("to")[0], entry.at("to")[1],
                                      filter_from_string(entry.at("filter").get<std::string>()));
    EXPECT_EQ(digest(found.pixels), entry.at("pillow").get<std::string>()) << entry.at("from") << entry.at("to") << entry.at("filter");
  }
}

TEST(Resize, EqualsTorchvisionForEverySize) {
  int compared = 0;
  for (const Json& entry : expected().at("resized")) {
    if (!entry.contains("torchvision")) continue;
    ++compared;
    const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
    const Image found = resize_torchvision(picture, entry.at("to")[0], entry.at("to")[1],
                                           filter_from_string(entry.at("filter").get<std::string>()));
    EXPECT_EQ(digest(found.pixels), entry.at("torchvision").get<std::string>()) << entry.at("from") << entry.at("to") << entry.at("filter");
  }
  EXPECT_GE(compared, 60);
}

TEST(Resize, InTheOtherOrderDiffersByLittle) {
  const Image picture = formula_picture(301, 640);
  const Image horizontal = resize_pillow(picture, 224, 100, Filter::kBicubic);
  const Image vertical = resize_pillow(picture, 224, 100, Filter::kBicubic, ResizeOrder::kVerticalFirst);
  ASSERT_EQ(horizontal.pixels.size(), vertical.pixels.size());
  EXPECT_NE(horizontal, vertical);
  for (std::size_t i = 0; i < vertical.pixels.size(); ++i) {
    ASSERT_NEAR(horizontal.pixels[i], vertical.pixels[i], 8) << i;  // the first pass rounds to 8 bits
  }
}

TEST(Preprocess, EqualsTimmAndHuggingFace) {
  ASSERT_GE(expected().at("transforms").size(), 9U * 7U);
  for (const Json& entry : expected().at("transforms")) {
    const Preprocess preprocess = preprocess_from_json(entry.at("preprocess"));
    const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
    const std::string what = entry.at("name").get<std::string>() + " from " + entry.at("from").dump();
    const Image bytes = resize_and_crop(picture, preprocess);
    EXPECT_EQ(digest(bytes.pixels), entry.at("sha256").get<std::string>()) << what;
    Tensor values(Shape{1, entry.at("shape")[0], entry.at("shape")[1], 3});
    preprocess_image(picture, preprocess, values.view());
    for (std::size_t i = 0; i < entry.at("indices").size(); ++i) {
      const double reference = entry.at("values")[i];
      ASSERT_NEAR(values.values()[entry.at("indices")[i].get<std::size_t>()], reference, 1e-6) << what;
    }
  }
}

TEST(Preprocess, KeepsItselfInJson) {
  const Preprocess made = Preprocess::timm(224, 0.95, Filter::kBicubic, {0.1F, 0.2F, 0.3F}, {0.4F, 0.5F, 0.6F});
  EXPECT_EQ(made.resize, 235);
  EXPECT_EQ(preprocess_from_json(to_json(made)), made);
  EXPECT_EQ(describe(made), "timm: shortest edge 235 bicubic, crop 224, mean 0.1 0.2 0.3, std 0.4 0.5 0.6");
}

TEST(Preprocess, RefusesImpossibleJson) {
  const Json good = to_json(Preprocess{});
  const auto with = [&](const std::string& key, const Json& value) {
    Json json = good;
    json[key] = value;
    return json;
  };
  EXPECT_NO_THROW(preprocess_from_json(good));
  for (const Json& bad : {with("flavour", "keras"), with("filter", "nearest"), with("resize", 0), with("crop", -1),
                          with("crop", 1 << 20), with("mean", Json::array({1})), with("std", Json::array({0, 1, 1})),
                          with("resize", "large"), with("resize_mode", "stretch"), with("crop", 0), Json::array()}) {
    EXPECT_THROW(preprocess_from_json(bad), UsageError) << bad;
  }
}

TEST(Preprocess, TakesThinPicturesOrSaysWhyNot) {
  const Preprocess squash = Preprocess::hf_squash(224, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F});
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 5000}, {5000, 1}}) {
    const Image picture = formula_picture(width, height);
    EXPECT_EQ(resize_and_crop(picture, squash).width, 224);
    try {
      EXPECT_EQ(resize_and_crop(picture, Preprocess{}).width, 224);
      EXPECT_EQ(width, height);
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("too narrow"), std::string::npos);
    }
  }
}

// Faults: each must be an InputError that names the file, and never a crash.

void expect_input_error(std::span<const std::byte> bytes, const std::string& why) {
  try {
    decode(bytes, "photo.JPEG");
    ADD_FAILURE() << why << " was decoded";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find("photo.JPEG: "), 0U) << error.what();
  }
}

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Decode, RefusesTruncatedPictures) {
  for (const char* file : {"jpeg_420.jpg", "jpeg_progressive.jpg", "png_rgb.png"}) {
    const std::vector<std::byte> whole = bytes_of(file);
    for (const double share : {0.0, 0.02, 0.5, 0.9}) {
      const auto length = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
      expect_input_error(std::span(whole).first(length), fmt::format("{} cut to {}", file, length));
    }
  }
}

TEST(Decode, TakesATruncatedJpegWhenLenient) {
  const std::vector<std::byte> whole = bytes_of("jpeg_444.jpg");
  const Image image = decode(std::span(whole).first(whole.size() / 2), "half", {.lenient = true});
  EXPECT_EQ(image.width, 67);
}

TEST(Decode, RefusesWhatIsNoPicture) {
  expect_input_error({}, "nothing");
  expect_input_error(as_bytes("<!DOCTYPE html><html><body>404</body></html>"), "HTML");
  expect_input_error(as_bytes("\xFF\xD8\xFF"), "a bare JPEG marker");
  expect_input_error(as_bytes("\x89PNG\r\n\x1a\n"), "a bare PNG signature");
}

TEST(Decode, RefusesHugePicturesBeforeTakingMemory) {
  // A valid PNG header of 65000 x 65000, and the same size in a JPEG's frame header.
  std::vector<std::byte> png = bytes_of("png_rgb.png");
  const auto put = [](std::vector<std::byte>& bytes, std::size_t at, unsigned value, int width) {
    for (int i = 0; i < width; ++i) bytes[at + static_cast<std::size_t>(i)] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  };
  put(png, 16, 65000, 4);
  put(png, 20, 65000, 4);
  expect_input_error(png, "a huge PNG");
  std::vector<std::byte> jpeg = bytes_of("jpeg_444.jpg");
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == std::byte{0xC0}) {
      put(jpeg, i + 5, 65000, 2);
      put(jpeg, i + 7, 65000, 2);
    }
  }
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  expect_input_error(jpeg, "a huge JPEG");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200 * 1024);  // KiB
  EXPECT_THROW(decode(bytes_of("png_rgb.png"), "small", {.max_pixels = 31 * 23 - 1}), InputError);
}

TEST(Decode, SurvivesRandomDamage) {
  constexpr unsigned kSeed = 20260101;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  int refused = 0;
  for (const char* file : {"jpeg_420_noise.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_rgb.png", "png_palette.png",
                           "png_rgba16.png"}) {
    const std::vector<std::byte> whole = bytes_of(file);
    for (int attempt = 0; attempt < 250; ++attempt) {
      std::vector<std::byte> damaged = whole;
      for (unsigned flips = 1 + random() % 8; flips > 0; --flips) {
        damaged[random() % damaged.size()] ^= static_cast<std::byte>(1U << (random() % 8));
      }
      if (random() % 4 == 0) damaged.resize(random() % damaged.size());
      for (const Decoder decoder : {Decoder::kAuto, Decoder::kStb}) {
        try {
          const Image image = decode(damaged, file, {.decoder = decoder, .max_pixels = 4'000'000});
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
  fs::remove_all(folder);
}

TEST(Labels, AreTheImageNetClassesInTheOrderOfTheirWnids) {
  ASSERT_EQ(imagenet_classes().size(), 1000U);
  EXPECT_EQ(imagenet_index("n01440764"), 0);
  EXPECT_EQ(imagenet_index("n15075141"), 999);
  EXPECT_EQ(imagenet_index("n01440765"), -1);
  EXPECT_EQ(imagenet_index(""), -1);
  EXPECT_EQ(imagenet_classes()[134].label, "crane");
  EXPECT_EQ(imagenet_classes()[517].label, "crane");
  EXPECT_EQ(imagenet_classes()[0].label, "tench, Tinca tinca");
  const LabelSet labels = LabelSet::imagenet_1k();
  EXPECT_EQ(labels.wnid(999), "n15075141");
  EXPECT_EQ(labels.name(1000), "class 1000");
  EXPECT_TRUE(label_set_from_json(to_json(labels)).is_imagenet());
  EXPECT_EQ(label_set_from_json(to_json(LabelSet::custom({"a", "b"}))).name(1), "b");
  EXPECT_EQ(label_set_from_json(nullptr).size(), 0U);
  EXPECT_THROW(label_set_from_json(7), UsageError);
}

}  // namespace
}  // namespace tessera
