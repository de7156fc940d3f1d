#include "synth/shapes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "core/error.h"
#include "synth/shapes_data.h"
#include "vision/dataset.h"
#include "vision/decode.h"
#include "vision/jpeg_encode.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::uint64_t fnv(const Image& image) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const std::uint8_t byte : image.pixels) hash = (hash ^ byte) * 0x100000001B3U;
  return hash;
}

// The same pixels on every machine and compiler: what the committed models were trained on must stay what it was.
TEST(Shapes, PixelsAreWhatTheyWere) {
  const std::array<std::uint64_t, 4> expected{15272389522005057548U, 17108050209718762104U, 1648261906110330320U,
                                              15010938336652501457U};
  for (std::int64_t number = 0; number < 4; ++number) {
    const Image image = draw_shape_picture(1, number * 5, shape_picture(1, number * 5, false));
    EXPECT_EQ(fnv(image), expected[static_cast<std::size_t>(number)]) << number << ": " << fnv(image) << "U";
  }
}

TEST(Shapes, EverySeedAndNumberGivesAnotherPicture) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    for (std::int64_t number = 0; number < 32; ++number) {
      seen.insert(fnv(draw_shape_picture(seed, number, shape_picture(seed, number, false))));
    }
  }
  EXPECT_EQ(seen.size(), 8U * 32U);
}

TEST(Shapes, ClassesAreBalancedAndConflictsAreConflicts) {
  std::map<int, int> shapes, textures;
  for (std::int64_t number = 0; number < 3200; ++number) {
    const ShapePicture plain = shape_picture(3, number, false);
    EXPECT_EQ(plain.shape, plain.texture);
    const ShapePicture conflict = shape_picture(3, number, true);
    EXPECT_EQ(conflict.shape, plain.shape);
    EXPECT_NE(conflict.texture, conflict.shape);
    ++shapes[conflict.shape];
    ++textures[conflict.texture];
  }
  ASSERT_EQ(shapes.size(), 16U);
  ASSERT_EQ(textures.size(), 16U);
  for (const auto& [shape, count] : shapes) EXPECT_EQ(count, 200);
  for (const auto& [texture, count] : textures) EXPECT_NEAR(count, 200, 60);  // more than four deviations
}

// Each class's outline and filling is another: drawn with the same numbers, no two come to the same picture.
TEST(Shapes, NoTwoClassesLookTheSame) {
  std::set<std::uint64_t> seen;
  for (int shape = 0; shape < kShapeClasses; ++shape) {
    for (int texture = 0; texture < kShapeClasses; ++texture) {
      seen.insert(fnv(draw_shape_picture(1, 3, {shape, texture})));
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kShapeClasses) * kShapeClasses);
}

TEST(JpegEncode, KeepsThePicture) {
  const Image image = draw_shape_picture(1, 0, shape_picture(1, 0, false));
  const Image decoded = decode(encode_jpeg(image, 95), "a");
  ASSERT_EQ(decoded.width, image.width);
  ASSERT_EQ(decoded.height, image.height);
  double error = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) error += std::abs(image.pixels[i] - decoded.pixels[i]);
  EXPECT_LT(error / static_cast<double>(image.pixels.size()), 12);  // of noise, whose colour JPEG halves
  EXPECT_GT(encode_jpeg(image, 95).size(), encode_jpeg(image, 50).size());
}

class ShapesFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::map<std::string, std::string> files(const fs::path& under) const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(under)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      found[fs::relative(entry.path(), under).string()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return found;
  }
  bool write(const fs::path& out, const ShapesOptions& options) const {
    return write_shapes(out, options, stop_, [](std::int64_t) {});
  }

  fs::path folder_ = fs::temp_directory_path() / ("tessera-shapes-" + std::to_string(::getpid()));
  std::atomic<bool> stop_{false};
};

TEST_F(ShapesFiles, AreTheSameForAnyNumberOfThreads) {
  ShapesOptions options{.count = 100, .seed = 5};
  write(folder_ / "one", options);
  options.threads = 3;
  write(folder_ / "three", options);
  const auto one = files(folder_ / "one");
  EXPECT_EQ(one.size(), 101U);
  EXPECT_TRUE(one.contains("disc/000000.jpg"));
  EXPECT_TRUE(one.contains("ring/000001.jpg"));
  EXPECT_EQ(one, files(folder_ / "three"));
  options.cue_conflict = true;
  write(folder_ / "conflict", options);
  for (const auto& [name, bytes] : files(folder_ / "conflict")) {
    EXPECT_EQ(name != "labels.json", name.find('-') != std::string::npos) << name;
  }
}

TEST_F(ShapesFiles, AreWholeOrNotThere) {
  stop_ = true;
  EXPECT_FALSE(write(folder_ / "stopped", {.count = 10}));
  EXPECT_TRUE(fs::is_empty(folder_));
  stop_ = false;
  EXPECT_TRUE(write(folder_ / "set", {.count = 10}));
  EXPECT_THROW(write(folder_ / "set", {.count = 10}), UsageError);
  EXPECT_THROW(write(folder_ / "set" / "labels.json" / "x", {.count = 10}), ResourceError);
  EXPECT_EQ(files(folder_).size(), 11U);
  fs::create_directory(folder_ / "empty");
  EXPECT_TRUE(write(folder_ / "empty", {.count = 1}));
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Shapes, AnArchiveHoldsWhatAFolderDoesAndIsTheSameEachTime) {
  const fs::path here = fs::temp_directory_path() / ("tessera-shapes-tar-" + std::to_string(::getpid()));
  fs::create_directories(here);
  const std::atomic<bool> go_on{false}, stop{true};
  const auto quiet = [](std::int64_t) {};
  ShapesOptions options{.count = 20, .threads = 2};
  EXPECT_TRUE(write_shapes(here / "a.tar", options, go_on, quiet));
  options.threads = 1;
  EXPECT_TRUE(write_shapes(here / "b.tar", options, go_on, quiet));
  EXPECT_TRUE(write_shapes(here / "c", options, go_on, quiet));
  EXPECT_FALSE(bytes_of(here / "a.tar").empty());
  EXPECT_EQ(bytes_of(here / "a.tar"), bytes_of(here / "b.tar"));
  const std::vector<Sample> archived = list_pictures(here / "a.tar"), loose = list_pictures(here / "c");
  ASSERT_EQ(archived.size(), 20U);
  ASSERT_EQ(loose.size(), 20U);
  std::map<std::string, std::vector<std::byte>> expected;
  for (const Sample& sample : loose) expected[sample.folder + "/" + sample.name] = read_picture(sample);
  for (const Sample& sample : archived) EXPECT_EQ(read_picture(sample), expected.at(sample.folder + "/" + sample.name));
  EXPECT_FALSE(write_shapes(here / "stopped.tar", options, stop, quiet));
  EXPECT_THROW(write_shapes(here / "a.tar", options, go_on, quiet), UsageError);
  EXPECT_THROW(write_shapes(here / "x.zip", options, go_on, quiet), UsageError);
  EXPECT_THROW(write_shapes(here / "x.tar.gz", options, go_on, quiet), UsageError);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(here)) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{"a.tar", "b.tar", "c"}));
  fs::remove_all(here);
}

}  // namespace
}  // namespace tessera
