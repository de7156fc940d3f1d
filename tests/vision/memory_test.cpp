// What becomes of a picture for which memory runs out: an error of its own, and the next is prepared as ever. In a
// binary of its own, whose operator new can fail.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "tests/failing_allocation.h"
#include "vision/prepare.h"

namespace tessera {
namespace {

TEST(PicturesWithoutMemory, AreErrorsOfTheirOwn) {
  constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};
  const std::vector<Preprocess> models{Preprocess::timm(32, 0.9F, Filter::kBilinear, kHalf, kHalf),
                                       Preprocess::timm(24, 1.0F, Filter::kBicubic, kHalf, kHalf)};
  for (const char* file :
       {"vision/jpeg_420.jpg", "vision/png_rgb.png", "formats/tiff_lzw.tif", "formats/webp_lossy.webp"}) {
    const Sample sample{.path = std::filesystem::path(TESSERA_TEST_DATA) / file, .name = file};
    ASSERT_TRUE(std::filesystem::exists(sample.path)) << sample.path;
    PreparedBatch whole = make_batch(models, 1), batch = make_batch(models, 1);
    whole.pictures.resize(1);
    prepare_picture(models, sample, 7, {}, whole, 0);
    ASSERT_EQ(whole.pictures[0].error, "");
    int failures = 0;
    for (std::int64_t allocation = 0;; ++allocation) {
      batch.pictures.assign(1, {});
      fail_allocation(allocation);
      prepare_picture(models, sample, 7, {}, batch, 0);
      const bool all_were_given = !allocation_failed();
      const PreparedPicture& picture = batch.pictures[0];
      EXPECT_EQ(picture.number, 7);
      EXPECT_EQ(picture.sample.path, sample.path);
      if (all_were_given) {
        EXPECT_EQ(picture.error, "");
        for (std::size_t m = 0; m < models.size(); ++m) {
          EXPECT_TRUE(std::ranges::equal(batch.inputs[m].values(), whole.inputs[m].values())) << file;
        }
        break;
      }
      ++failures;
      EXPECT_NE(picture.error.find("not enough memory"), std::string::npos) << file << ": " << picture.error;
      EXPECT_NE(picture.error.find(sample.path.filename().string()), std::string::npos) << picture.error;
      EXPECT_TRUE(picture.preprocess_ms.empty());
    }
    EXPECT_GT(failures, 4) << file;
  }
}

}  // namespace
}  // namespace tessera
