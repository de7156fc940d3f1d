#include "vision/picture_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "core/error.h"

namespace tessera {
namespace {

constexpr std::int64_t kBatch = 3;
constexpr std::int64_t kMissing = 7;  // each seventh picture is not there

bool is_missing(std::int64_t number) { return number % kMissing == kMissing - 1; }

std::vector<Sample> pictures(std::int64_t count) {
  const std::filesystem::path folder = std::filesystem::path(TESSERA_TEST_DATA) / "vision";
  constexpr std::array kFiles{"png_bilevel.png", "png_palette.png", "png_one_pixel_interlaced.png"};
  std::vector<Sample> samples;
  for (std::int64_t number = 0; number < count; ++number) {
    const std::string file = is_missing(number) ? "none.png" : kFiles[static_cast<std::size_t>(number) % kFiles.size()];
    samples.push_back({.path = folder / file, .name = std::to_string(number) + ".png"});
  }
  return samples;
}

std::vector<Preprocess> two_models() {
  constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};
  return {Preprocess::timm(32, 0.9, Filter::kBilinear, kHalf, kHalf),
          Preprocess::timm(24, 1.0, Filter::kBicubic, kHalf, kHalf)};
}

QueueOptions options(int workers) { return {.batch = kBatch, .workers = workers, .decode = {}}; }

TEST(PictureQueue, GivesEachPictureInItsOrderWhateverItsWorkersDo) {
  const std::vector<Sample> samples = pictures(40);
  for (const int workers : {1, 2, 5}) {
    AllPictures all(40);
    PictureQueue queue(two_models(), samples, options(workers), all);
    std::int64_t expected = 0;
    while (PreparedBatch* const batch = queue.next()) {
      ASSERT_LE(batch->pictures.size(), static_cast<std::size_t>(kBatch));
      for (std::size_t i = 0; i < batch->pictures.size(); ++i) {
        PreparedPicture& picture = batch->pictures[i];
        ASSERT_EQ(picture.number, expected);
        EXPECT_EQ(picture.error.empty(), !is_missing(expected));
        EXPECT_EQ(picture.preprocess_ms.size(), picture.error.empty() ? 2U : 0U);
        EXPECT_EQ(picture.contents >= 0, picture.error.empty());
        // The taker may write into what it was given.
        batch->inputs.front().view().slice(static_cast<std::int64_t>(i)).values()[0] = 1;
        picture.error = "taken";
        ++expected;
      }
    }
    EXPECT_EQ(expected, 40);
    EXPECT_EQ(queue.next(), nullptr);  // and stays at the end
  }
}

// Gives pictures without an end, and counts them.
class Endless final : public PictureSource {
 public:
  std::vector<std::int64_t> next(std::size_t most) override {
    EXPECT_EQ(callers_++, 0) << "two threads ask at once";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::vector<std::int64_t> numbers(most, 0);
    given_ += most;
    --callers_;
    return numbers;
  }
  std::size_t given() const { return given_; }

 private:
  std::atomic<int> callers_{0};
  std::atomic<std::size_t> given_{0};
};

TEST(PictureQueue, PreparesAFewBatchesAheadAndLeavesWhenItIsToldTo) {
  const std::vector<Sample> samples = pictures(1);
  Endless endless;
  {
    PictureQueue queue(two_models(), samples, options(4), endless);
    for (int batch = 0; batch < 5; ++batch) ASSERT_NE(queue.next(), nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GE(endless.given(), 5U * kBatch);
  EXPECT_LE(endless.given(), (5U + 3) * kBatch);
}

class Failing final : public PictureSource {
 public:
  std::vector<std::int64_t> next(std::size_t) override {
    if (calls_++ == 2) throw ResourceError("the source is dry");
    return {0, 0};
  }

 private:
  int calls_ = 0;
};

TEST(PictureQueue, ThrowsWhatItsSourceThrew) {
  const std::vector<Sample> samples = pictures(1);
  Failing failing;
  PictureQueue queue(two_models(), samples, options(3), failing);
  EXPECT_THROW(
      {
        while (queue.next() != nullptr) {
        }
      },
      ResourceError);
}

}  // namespace
}  // namespace tessera
