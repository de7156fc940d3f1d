#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/clock_text.h"
#include "core/error.h"
#include "core/nearest.h"
#include "core/shape.h"
#include "core/tensor.h"
#include "core/thread_pool.h"
#include "core/value.h"

namespace tessera {
namespace {

TEST(Shape, CountsAndIndexesFromBothEnds) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.count(), 24);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(to_string(shape), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.count(), 1);
  EXPECT_THROW(shape[3], InternalError);
  EXPECT_THROW(shape[-4], InternalError);
}

TEST(Shape, RefusesImpossibleSizes) {
  EXPECT_THROW((Shape{1, -1}), InternalError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1}), InternalError);
  EXPECT_THROW((Shape{INT64_MAX, 2}.count()), InternalError);
}

TEST(Tensor, IsAlignedAndOwnsItsValues) {
  Tensor tensor = Tensor::filled({3, 5}, 2.5F);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
  const Tensor copy = tensor.clone();
  tensor.data()[0] = 1;
  EXPECT_EQ(copy.data()[0], 2.5F);
  EXPECT_EQ(tensor.view().slice(1).data(), tensor.data() + 5);
  EXPECT_EQ(tensor.view().slice(1).shape(), (Shape{1, 5}));
  EXPECT_THROW(Tensor::from(copy.values(), {2, 2}), InternalError);
}

TEST(Tensor, SaysHowMuchMemoryIsMissing) {
  try {
    const Tensor tensor(Shape{std::int64_t{1} << 55});
    FAIL();
  } catch (const ResourceError& error) {
    EXPECT_NE(std::string(error.what()).find("144115188075855872"), std::string::npos) << error.what();
  }
}

TEST(Tensor, TakesAnotherShapeOfTheSameCount) {
  Tensor tensor = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const float* values = tensor.data();
  const Tensor wide = std::move(tensor).reshaped({1, 6});
  EXPECT_EQ(wide.shape(), (Shape{1, 6}));
  EXPECT_EQ(wide.data(), values);
  EXPECT_THROW(Tensor::zeros({2, 3}).reshaped({4}), InternalError);
}

TEST(Memory, ExpectedToBeWrittenKeepsWhatItHolds) {
  Tensor tensor = Tensor::filled({100'000}, 3);
  expect_writes(std::as_writable_bytes(tensor.values().subspan(1234, 90'000)));
  EXPECT_TRUE(std::ranges::all_of(tensor.values(), [](float value) { return value == 3; }));
}

TEST(MemoryPool, GivesOutAgainWhatWasGivenBack) {
  constexpr std::int64_t kLarge = 1 << 20, kSmall = 100;
  const std::shared_ptr<MemoryPool> pool = MemoryPool::make();
  const float *first = nullptr, *second = nullptr;
  {
    const Tensor one({kLarge}, *pool), two({2 * kLarge}, *pool);
    first = one.data();
    second = two.data();
    EXPECT_NE(first, second);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  }
  const Tensor small({kSmall}, *pool);
  const Tensor fits({kLarge}, *pool), fits_the_larger({kLarge}, *pool);
  EXPECT_EQ(fits.data(), first);
  EXPECT_EQ(fits_the_larger.data(), second);
  EXPECT_NE(small.data(), first);
}

TEST(MemoryPool, LivesAsLongAsItsMemory) {
  std::shared_ptr<MemoryPool> pool = MemoryPool::make();
  Tensor tensor({1 << 20}, *pool);
  const std::weak_ptr<MemoryPool> watched = pool;
  pool.reset();
  tensor.data()[(1 << 20) - 1] = 1;
  EXPECT_FALSE(watched.expired());
  tensor = Tensor();
  EXPECT_TRUE(watched.expired());
}

TEST(MemoryPool, ServesSeveralThreadsAtOnce) {
  const std::shared_ptr<MemoryPool> pool = MemoryPool::make();
  ThreadPool threads(4);
  std::atomic<int> mixed = 0;
  threads.for_each(400, [&](std::int64_t index, int) {
    Tensor tensor({(1 << 18) + index % 7 * 1000}, *pool);
    std::ranges::fill(tensor.values(), static_cast<float>(index));
    mixed += std::ranges::all_of(tensor.values(), [&](float v) { return v == static_cast<float>(index); }) ? 0 : 1;
  });
  EXPECT_EQ(mixed, 0);
}

TEST(Value, IsReadBackFromEachType) {
  const std::uint16_t halves[] = {0x3F80, 0xC000, 0x7F80};
  const Tensor from_bf16 = to_f32({reinterpret_cast<const std::byte*>(halves), {.dtype = DType::kBf16}, Shape{3}});
  EXPECT_EQ(from_bf16.data()[0], 1);
  EXPECT_EQ(from_bf16.data()[1], -2);
  EXPECT_TRUE(std::isinf(from_bf16.data()[2]));
  const std::uint8_t bytes[] = {0, 100, 255};
  const ConstValueView view(reinterpret_cast<const std::byte*>(bytes), {DType::kU8, 0.5F, 100}, Shape{3});
  EXPECT_EQ(to_f32(view).data()[0], -50);
  EXPECT_EQ(to_f32(view).data()[2], 77.5);
  EXPECT_EQ(view.at(2), view.bytes() + 2);
  EXPECT_THROW(view.f32(), InternalError);
}

TEST(Value, RangesBecomeScalesThatCoverThemAndZero) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const ValueRange ranges[] = {{-1, 3}, {2, 6}, {-5, -1}, {-kLargest, kLargest}, {0, kLargest}};
  for (const ValueRange& range : ranges) {
    const ValueType type = quantisation_of(range);
    ASSERT_TRUE(std::isfinite(type.scale) && type.scale > 0);
    EXPECT_GE(type.zero, 0);
    EXPECT_LE(type.zero, 255);
    // The ends lie within half a step of the first and last.
    EXPECT_LE(-double{type.scale} * type.zero, std::min(0.0F, range.low) + double{type.scale} * 0.501);
    EXPECT_GE(double{type.scale} * (255 - type.zero), std::max(0.0F, range.high) - double{type.scale} * 0.501);
  }
  EXPECT_EQ(quantisation_of({0, 0}).scale, 1);
  EXPECT_EQ(quantisation_of({-1e-45F, 1e-45F}).scale, 1);
}

TEST(ThreadPool, CallsEachIndexOnce) {
  for (const int threads : {1, 2, 3, 4}) {
    ThreadPool pool(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 7, 100, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      pool.for_each(count, [&](std::int64_t index, int thread) {
        EXPECT_TRUE(thread >= 0 && thread < threads);
        ++calls[static_cast<std::size_t>(index)];
      });
      for (const auto& call : calls) EXPECT_EQ(call, 1);
    }
  }
}

TEST(ThreadPool, SurvivesManyShortRegions) {
  ThreadPool pool(4);
  std::atomic<std::int64_t> sum{0};
  for (int region = 0; region < 10'000; ++region) {
    pool.for_each(5, [&](std::int64_t index, int) { sum += index; });
  }
  EXPECT_EQ(sum, 10'000 * 10);
}

TEST(ThreadPool, PassesTheFirstExceptionOnAndGoesOnWorking) {
  ThreadPool pool(3);
  for (int attempt = 0; attempt < 50; ++attempt) {
    EXPECT_THROW(pool.for_each(100,
                               [](std::int64_t index, int) {
                                 if (index == 17) throw std::runtime_error("seventeen");
                               }),
                 std::runtime_error);
    std::atomic<int> calls{0};
    pool.for_each(10, [&](std::int64_t, int) { ++calls; });
    EXPECT_EQ(calls, 10);
  }
}

TEST(ThreadPool, StartsNoThreadForOne) {
  ThreadPool pool(1);
  EXPECT_EQ(pool.threads(), 1);
  const auto caller = std::this_thread::get_id();
  pool.for_each(10, [&](std::int64_t, int) { EXPECT_EQ(std::this_thread::get_id(), caller); });
  EXPECT_THROW(ThreadPool(0), UsageError);
}

TEST(ThreadPool, TellsAnObserverWhatEachThreadDid) {
  class Parts final : public RegionObserver {
   public:
    explicit Parts(int threads) : tasks(static_cast<std::size_t>(threads)) {}
    void after_part(int thread, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t count) override {
      EXPECT_LE(begin_ns, end_ns);
      tasks.at(static_cast<std::size_t>(thread)) += count;
      ++parts;
    }
    std::vector<std::int64_t> tasks;
    std::atomic<int> parts{0};
  };
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    Parts parts(threads);
    pool.observe(&parts);
    pool.for_each(100, [](std::int64_t, int) {});
    EXPECT_EQ(std::accumulate(parts.tasks.begin(), parts.tasks.end(), std::int64_t{0}), 100);
    EXPECT_EQ(parts.parts, threads);
    pool.for_each(1, [](std::int64_t, int) {});  // the caller alone
    EXPECT_EQ(parts.parts, threads + 1);
    pool.observe(nullptr);
    pool.for_each(100, [](std::int64_t, int) {});
    EXPECT_EQ(parts.parts, threads + 1);
  }
}

TEST(ThreadPool, FindsAtLeastOneCore) { EXPECT_GE(physical_cores(), 1); }

TEST(DidYouMean, NamesTheNearest) {
  const std::vector<std::string> known{"--batch", "--threads", "--device"};
  EXPECT_EQ(did_you_mean("--bacth", known), "; did you mean '--batch'?");
  EXPECT_EQ(did_you_mean("--something-else", known), "");
}

TEST(ClockText, CountsHoursMinutesAndSeconds) {
  EXPECT_EQ(clock_text(0), "0:00:00");
  EXPECT_EQ(clock_text(59.4), "0:00:59");
  EXPECT_EQ(clock_text(59.5), "0:01:00");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(360'000), "100:00:00");
  EXPECT_EQ(clock_text(-1), "0:00:00");
}

}  // namespace
}  // namespace tessera
