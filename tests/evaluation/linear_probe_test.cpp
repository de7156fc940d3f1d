#include "evaluation/probe/linear_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/error.h"

namespace tessera {
namespace {

const std::atomic<bool> kNever{false};
const auto kQuiet = [](const ProbeStep&) {};

struct Pictures {
  std::vector<float> features;
  std::vector<int> labels;
};

// Two features say the class, the others are noise.
Pictures noisy(std::size_t count, std::size_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Pictures made;
  for (std::size_t i = 0; i < count; ++i) {
    made.labels.push_back(static_cast<int>(i % 3));
    for (std::size_t d = 0; d < width; ++d) {
      const float centre = d < 3 && static_cast<int>(d) == made.labels.back() ? 1.0F : 0.0F;
      made.features.push_back(centre + normal(random));
    }
  }
  return made;
}

TEST(Split, HoldsOutAShareOfEachClassOnceAndReproducibly) {
  std::vector<int> labels;
  for (int i = 0; i < 100; ++i) labels.push_back(i < 60 ? 0 : i < 95 ? 1 : 2);
  const Split split = split_by_class(labels, 3, 0.1, 7);
  std::vector<int> held_out(3, 0);
  for (const std::int64_t row : split.held_out)
    ++held_out[static_cast<std::size_t>(labels[static_cast<std::size_t>(row)])];
  EXPECT_EQ(held_out, (std::vector<int>{6, 4, 1}));
  std::vector<std::int64_t> all = split.kept;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), 100U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(split_by_class(labels, 3, 0.1, 7).held_out, split.held_out);
  EXPECT_NE(split_by_class(labels, 3, 0.1, 8).held_out, split.held_out);
}

TEST(Split, TakesNoPictureFromAClassOfOneAndNeverAllOfAClass) {
  const std::vector<int> labels{0, 1, 1, 2, 2, 2};
  const Split most = split_by_class(labels, 3, 0.99, 1);
  EXPECT_EQ(most.kept.size(), 3U);
  EXPECT_EQ(std::ranges::count(most.held_out, 0), 0);
  EXPECT_EQ(split_by_class(labels, 3, 0.1, 1).held_out.size(), 2U);
  EXPECT_TRUE(split_by_class(labels, 3, 0, 1).held_out.empty());
}

TEST(LinearProbe, ChoosesTheStrengthOfTheLeastCrossEntropyOnThePicturesHeldOut) {
  const Pictures data = noisy(300, 60, 1);
  std::vector<double> tried;
  const auto result = fit_probe(data.features, data.labels, 3, {.threads = 2}, kNever,
                                [&](const ProbeStep& step) { tried.push_back(step.l2); });
  ASSERT_TRUE(result && result->chosen);
  ASSERT_EQ(tried.size(), result->tried.size());
  EXPECT_TRUE(std::ranges::is_sorted(tried, std::ranges::greater{}));
  const ProbeStep& chosen = result->tried[*result->chosen];
  for (const ProbeStep& step : result->tried) EXPECT_GE(step.held_out.log_loss, chosen.held_out.log_loss);
  EXPECT_EQ(result->l2, chosen.l2);
  EXPECT_EQ(chosen.held_out.total, 30);
  EXPECT_EQ(chosen.kept.total, 270);
  // 60 features, of which 57 say nothing: neither the strongest nor the weakest penalty is the best.
  EXPECT_GT(*result->chosen, 0U);
  EXPECT_LT(*result->chosen, result->tried.size() - 1);
  EXPECT_TRUE(result->fit.converged);
  EXPECT_EQ(result->all.total, 300);
}

TEST(LinearProbe, TakesAStrengthThatIsGiven) {
  const Pictures data = noisy(90, 5, 2);
  const auto with = fit_probe(data.features, data.labels, 3, {.l2 = 2.5}, kNever, kQuiet);
  ASSERT_TRUE(with);
  EXPECT_EQ(with->l2, 2.5);
  ASSERT_EQ(with->tried.size(), 1U);
  EXPECT_EQ(with->tried[0].held_out.total, 9);
  const auto without = fit_probe(data.features, data.labels, 3, {.holdout = 0, .l2 = 2.5}, kNever, kQuiet);
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->chosen);
  for (std::size_t i = 0; i < with->fit.head.weight.size(); ++i) {
    EXPECT_NEAR(with->fit.head.weight[i], without->fit.head.weight[i], 1e-4);
  }
}

TEST(LinearProbe, RefusesWhatCannotBeChosen) {
  const Pictures data = noisy(3, 4, 3);  // a picture of each class
  EXPECT_THROW(fit_probe(data.features, data.labels, 3, {}, kNever, kQuiet), InputError);
  EXPECT_TRUE(fit_probe(data.features, data.labels, 3, {.l2 = 1}, kNever, kQuiet));
  EXPECT_THROW(fit_probe(data.features, data.labels, 3, {.holdout = 0}, kNever, kQuiet), UsageError);
  EXPECT_THROW(fit_probe(data.features, data.labels, 3, {.holdout = 1, .l2 = 1}, kNever, kQuiet), UsageError);
  EXPECT_THROW(fit_probe(data.features, data.labels, 3, {.l2 = 0}, kNever, kQuiet), UsageError);
}

TEST(LinearProbe, GivesNothingWhenStopped) {
  const Pictures data = noisy(90, 5, 4);
  const std::atomic<bool> now{true};
  EXPECT_FALSE(fit_probe(data.features, data.labels, 3, {}, now, kQuiet));
}

}  // namespace
}  // namespace tessera
