#include "evaluation/probe/logistic_regression.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "core/error.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

const std::atomic<bool> kNever{false};
constexpr double kFine = 1e-9;

// Pictures of a case by tests/reference/logistic.py, or made up.
struct Case {
  std::vector<float> features;
  std::vector<int> labels;
  std::vector<std::int64_t> rows;
  int classes = 0;
  std::int64_t width = 0;

  LabelledFeatures data() const {
    return {.features = features, .labels = labels, .rows = rows, .width = width, .classes = classes};
  }
};

Case case_of(const Json& json) {
  Case read{.features = json.at("features").get<std::vector<float>>(),
            .labels = json.at("labels").get<std::vector<int>>(),
            .classes = json.at("classes").get<int>(),
            .width = json.at("width").get<std::int64_t>()};
  read.rows.resize(read.labels.size());
  std::iota(read.rows.begin(), read.rows.end(), 0);
  return read;
}

// Classes about random centres, the pictures in no order.
Case random_case(std::size_t pictures, int classes, std::int64_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Case made{.classes = classes, .width = width};
  std::vector<float> centres(static_cast<std::size_t>(classes * width));
  for (float& value : centres) value = normal(random);
  for (std::size_t i = 0; i < pictures; ++i) {
    const auto label = static_cast<int>(random() % static_cast<unsigned>(classes));
    made.labels.push_back(label);
    made.rows.push_back(static_cast<std::int64_t>(i));
    for (std::int64_t d = 0; d < width; ++d) {
      made.features.push_back(centres[static_cast<std::size_t>(label * width + d)] + 2 * normal(random));
    }
  }
  return made;
}

std::vector<Json> cases() {
  std::ifstream file(std::string(TESSERA_TEST_DATA) + "/evaluation/logistic.json");
  return Json::parse(file).get<std::vector<Json>>();
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const Json& entry : cases()) names.push_back(entry.at("name"));
  return names;
}

class AgainstScikitLearn : public testing::TestWithParam<std::string> {};

TEST_P(AgainstScikitLearn, FindsTheSameHeadAndLoss) {
  const std::vector<Json> all = cases();
  const Json& expected =
      *std::ranges::find(all, GetParam(), [](const Json& entry) { return entry.at("name").get<std::string>(); });
  const Case data = case_of(expected);
  const LogisticFit fit =
      fit_logistic(data.data(), {.l2 = expected.at("l2"), .tolerance = kFine, .threads = 2}, {}, kNever);
  // Where the objective is rounded to 1e-16, a line search may end before the tolerance is reached.
  EXPECT_LE(fit.gradient_norm, 1e-8);
  const auto weight = expected.at("weight").get<std::vector<double>>();
  const auto bias = expected.at("bias").get<std::vector<double>>();
  ASSERT_EQ(fit.head.weight.size(), weight.size());
  ASSERT_EQ(fit.head.bias.size(), bias.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    EXPECT_NEAR(fit.head.weight[i], weight[i], 1e-5 * std::max(1.0, std::abs(weight[i]))) << "weight " << i;
  }
  for (std::size_t i = 0; i < bias.size(); ++i) {
    EXPECT_NEAR(fit.head.bias[i], bias[i], 1e-5 * std::max(1.0, std::abs(bias[i]))) << "bias " << i;
  }
  EXPECT_NEAR(fit.objective, expected.at("objective").get<double>(), 1e-7 * fit.objective);
  const HeadScore score = score_head(data.data(), fit.head, 2);
  EXPECT_EQ(score.correct, expected.at("correct").get<std::int64_t>());
  EXPECT_EQ(score.total, static_cast<std::int64_t>(data.labels.size()));
  const double cross_entropy = expected.at("cross_entropy").get<double>();
  EXPECT_NEAR(score.log_loss * static_cast<double>(score.total), cross_entropy, 1e-5 * cross_entropy);
}

INSTANTIATE_TEST_SUITE_P(LogisticRegression, AgainstScikitLearn, testing::ValuesIn(case_names()),
                         [](const auto& tested) { return tested.param; });

TEST(LogisticRegression, GivesTheSameBitsForEveryNumberOfThreads) {
  const Case data = random_case(3000, 7, 33, 1);
  const LogisticFit one = fit_logistic(data.data(), {.l2 = 3, .threads = 1}, {}, kNever);
  const HeadScore score = score_head(data.data(), one.head, 1);
  for (const int threads : {2, 3, 4}) {
    const LogisticFit more = fit_logistic(data.data(), {.l2 = 3, .threads = threads}, {}, kNever);
    EXPECT_EQ(more.head.weight, one.head.weight) << threads;
    EXPECT_EQ(more.head.bias, one.head.bias) << threads;
    EXPECT_EQ(more.objective, one.objective) << threads;
    EXPECT_EQ(score_head(data.data(), one.head, threads).log_loss, score.log_loss) << threads;
  }
}

TEST(LogisticRegression, LooksAtTheRowsThatItIsGivenOnly) {
  Case data = random_case(200, 3, 5, 2);
  Case half = data;
  half.rows.resize(100);
  Case cut = data;
  cut.labels.resize(100);
  cut.features.resize(500);
  cut.rows.resize(100);
  EXPECT_EQ(fit_logistic(half.data(), {}, {}, kNever).head.weight,
            fit_logistic(cut.data(), {}, {}, kNever).head.weight);
}

TEST(LogisticRegression, ComesToTheSameMinimumFromAnotherStart) {
  const Case data = random_case(500, 4, 6, 3);
  const LogisticFit far = fit_logistic(data.data(), {.l2 = 1000}, {}, kNever);
  const LogisticFit from_zero = fit_logistic(data.data(), {.l2 = 1, .tolerance = kFine}, {}, kNever);
  const LogisticFit from_far = fit_logistic(data.data(), {.l2 = 1, .tolerance = kFine}, far.head, kNever);
  for (std::size_t i = 0; i < from_zero.head.weight.size(); ++i) {
    EXPECT_NEAR(from_far.head.weight[i], from_zero.head.weight[i], 1e-6);
  }
  // Begun at its own end, there is nothing left to do.
  const LogisticFit again = fit_logistic(data.data(), {.l2 = 1, .tolerance = 1e-6}, from_zero.head, kNever);
  EXPECT_LE(again.iterations, 1);
  EXPECT_TRUE(again.converged);
}

TEST(LogisticRegression, FitsFeaturesThatDoNotVary) {
  Case data = random_case(40, 2, 3, 4);
  std::ranges::fill(data.features, 5.0F);
  EXPECT_EQ(feature_scale(data.data()), 1);
  const LogisticFit fit = fit_logistic(data.data(), {.l2 = 1, .tolerance = kFine}, {}, kNever);
  // Only the classes' shares can be learned: the difference of the scores is the logarithm of their ratio.
  const auto ones = static_cast<double>(std::ranges::count(data.labels, 1));
  double difference = fit.head.bias[1] - fit.head.bias[0];
  for (std::size_t d = 0; d < 3; ++d) difference += 5 * (fit.head.weight[3 + d] - fit.head.weight[d]);
  EXPECT_NEAR(difference, std::log(ones / (40 - ones)), 1e-6);
}

TEST(LogisticRegression, SaysWhenItDidNotConvergeAndStopsWhenAsked) {
  const Case data = random_case(500, 4, 20, 5);
  const LogisticFit short_fit = fit_logistic(data.data(), {.l2 = 1e-6, .max_iterations = 2}, {}, kNever);
  EXPECT_FALSE(short_fit.converged);
  EXPECT_EQ(short_fit.iterations, 2);
  const std::atomic<bool> now{true};
  const LogisticFit stopped = fit_logistic(data.data(), {.l2 = 1e-6}, {}, now);
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LE(stopped.iterations, 1);
}

TEST(LogisticRegression, RefusesSizesThatDoNotGoTogether) {
  Case data = random_case(10, 2, 3, 6);
  data.labels[4] = 2;
  EXPECT_THROW(fit_logistic(data.data(), {}, {}, kNever), InternalError);
  data.labels[4] = 0;
  data.rows[0] = 10;
  EXPECT_THROW(fit_logistic(data.data(), {}, {}, kNever), InternalError);
  data.rows[0] = 0;
  data.features.pop_back();
  EXPECT_THROW(fit_logistic(data.data(), {}, {}, kNever), InternalError);
}

}  // namespace
}  // namespace tessera
