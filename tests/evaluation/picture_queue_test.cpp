#include "evaluation/picture_queue.h"

#include <array>
#include <atomic>
#include <thread>

#include "core/error.h"
#include "tests/evaluation/run_fixture.h"

namespace tessera {
namespace {

class PictureQueueTest : public SmallRun {
 protected:
  static ComparisonOptions options(int workers) {
    return {.mode = ComparisonMode::kThroughput, .batch = kBatch, .workers = workers, .decode = {}};
  }
};

TEST_F(PictureQueueTest, GivesEachPictureInItsOrderWhateverItsWorkersDo) {
  const Dataset dataset = pictures(40);
  const auto models = two_models();
  for (const int workers : {1, 2, 5}) {
    AllPictures all(40);
    PictureQueue queue(models, dataset, options(workers), all);
    std::int64_t expected = 0;
    while (PreparedBatch* const batch = queue.next()) {
      ASSERT_LE(batch->rows.size(), static_cast<std::size_t>(kBatch));
      for (std::size_t i = 0; i < batch->rows.size(); ++i) {
        ComparisonRow& row = batch->rows[i];
        ASSERT_EQ(row.number, expected);
        EXPECT_EQ(row.error.empty(), !is_missing(expected));
        EXPECT_EQ(row.predictions.size(), row.error.empty() ? 2U : 0U);
        // The taker may write into what it was given.
        batch->inputs.front().view().slice(static_cast<std::int64_t>(i)).values()[0] = 1;
        row.error = "taken";
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

TEST_F(PictureQueueTest, PreparesAFewBatchesAheadAndLeavesWhenItIsToldTo) {
  const Dataset dataset = pictures(1);
  const auto models = two_models();
  Endless endless;
  {
    PictureQueue queue(models, dataset, options(4), endless);
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

TEST_F(PictureQueueTest, ThrowsWhatItsSourceThrew) {
  const Dataset dataset = pictures(1);
  const auto models = two_models();
  Failing failing;
  PictureQueue queue(models, dataset, options(3), failing);
  EXPECT_THROW(
      {
        while (queue.next() != nullptr) {
        }
      },
      ResourceError);
}

}  // namespace
}  // namespace tessera
