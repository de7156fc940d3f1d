// Resizing against Pillow 12.3 and 13.0, and PyTorch's antialiased uint8 interpolation. Expected hashes:
// tests/reference/vision.py.

#include "vision/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "core/error.h"
#include "tests/vision/support.h"

namespace tessera {
namespace {

using Json = nlohmann::json;
using fixtures::digest;
using fixtures::expected;
using fixtures::formula_picture;

TEST(Resize, EqualsPillowForEverySizeAndFilter) {
  ASSERT_EQ(expected().at("resized").size(), 13U * 6U * 4U);
  int differing = 0;  // between the releases
  for (const Json& entry : expected().at("resized")) {
    const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
    for (const auto& [release, order] :
         {std::pair{"pillow12", ResizeOrder::kPillow12}, {"pillow13", ResizeOrder::kPillow13}}) {
      const Image found = resize_pillow(picture, entry.at("to")[0], entry.at("to")[1],
                                        filter_from_string(entry.at("filter").get<std::string>()), order);
      EXPECT_EQ(digest(found.pixels), entry.at(release).get<std::string>())
          << release << entry.at("from") << entry.at("to") << entry.at("filter");
    }
    differing += entry.at("pillow12") != entry.at("pillow13") ? 1 : 0;
  }
  EXPECT_GT(differing, 10);
}

TEST(Resize, EqualsTorchvisionForEverySize) {
  int compared = 0;
  for (const Json& entry : expected().at("resized")) {
    if (!entry.contains("torchvision")) continue;
    ++compared;
    const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
    const Image found = resize_torchvision(picture, entry.at("to")[0], entry.at("to")[1],
                                           filter_from_string(entry.at("filter").get<std::string>()));
    EXPECT_EQ(digest(found.pixels), entry.at("torchvision").get<std::string>())
        << entry.at("from") << entry.at("to") << entry.at("filter");
  }
  EXPECT_GE(compared, 60);
}

Image transposed(const Image& image) {
  Image turned{image.height, image.width, std::vector<std::uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) std::copy_n(image.row(y) + x * 3, 3, turned.row(x) + y * 3);
  }
  return turned;
}

TEST(Resize, InTheOtherOrderIsTheTransposedPictureInTheFirst) {
  for (const auto& [width, height] : {std::pair{301, 640}, {7, 900}, {64, 5}}) {
    const Image picture = formula_picture(width, height);
    for (const Filter filter : {Filter::kBox, Filter::kBicubic}) {
      const Image vertical = resize_pillow(picture, 224, 100, filter, ResizeOrder::kVerticalFirst);
      const Image turned = resize_pillow(transposed(picture), 100, 224, filter, ResizeOrder::kHorizontalFirst);
      EXPECT_EQ(vertical, transposed(turned)) << width << "x" << height;
    }
  }
  const Image picture = formula_picture(301, 640);
  const auto resized = [&](ResizeOrder order) { return resize_pillow(picture, 224, 100, Filter::kBicubic, order); };
  EXPECT_NE(resized(ResizeOrder::kPillow12), resized(ResizeOrder::kVerticalFirst));
  EXPECT_EQ(resized(ResizeOrder::kPillow13), resized(ResizeOrder::kVerticalFirst));
}

TEST(Resize, OfARegionIsThatPartOfTheWhole) {
  constexpr unsigned kSeed = 20260102;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  for (int attempt = 0; attempt < 300; ++attempt) {
    const Image picture = formula_picture(1 + below(90), 1 + below(90));
    // A third of the time an edge keeps its length, so that its pass is left out.
    const PictureSize size{below(3) == 0 ? picture.width : 2 + below(120),
                           below(3) == 0 ? picture.height : 2 + below(120)};
    Region region{below(size.width), below(size.height), 0, 0};
    region.width = 1 + below(size.width - region.left);
    region.height = 1 + below(size.height - region.top);
    const Filter filter = attempt % 2 == 0 ? Filter::kBilinear : Filter::kBicubic;
    for (const bool pillow : {true, false}) {
      const Image whole = pillow ? resize_pillow(picture, size.width, size.height, filter)
                                 : resize_torchvision(picture, size.width, size.height, filter);
      const Image part = pillow ? resize_pillow_region(picture, size, filter, region)
                                : resize_torchvision_region(picture, size, filter, region);
      ASSERT_EQ(part.width, region.width);
      ASSERT_EQ(part.height, region.height);
      for (int y = 0; y < part.height; ++y) {
        ASSERT_TRUE(std::equal(part.row(y), part.row(y) + part.stride(), whole.row(region.top + y) + region.left * 3))
            << picture.width << "x" << picture.height << " to " << size.width << "x" << size.height << " row " << y;
      }
    }
  }
}

TEST(Resize, RefusesSizesThatAreNone) {
  const Image picture = formula_picture(4, 4);
  EXPECT_THROW(resize_pillow(picture, 0, 4, Filter::kBox), InternalError);
  EXPECT_THROW(resize_pillow(Image{}, 4, 4, Filter::kBox), InternalError);
  EXPECT_THROW(resize_pillow_region(picture, {8, 8}, Filter::kBox, {5, 0, 4, 8}), InternalError);
  EXPECT_THROW(resize_torchvision(picture, 8, 8, Filter::kLanczos), UsageError);
  EXPECT_THROW(filter_from_string("nearest"), UsageError);
}

}  // namespace
}  // namespace tessera
