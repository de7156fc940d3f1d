// Statistics against SciPy, statsmodels and scikit-learn (tests/reference/paired_statistics.py).

#include "evaluation/summary/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "core/error.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

const Json& reference() {
  static const Json json = Json::parse(std::ifstream(TESSERA_TEST_DATA "/evaluation/statistics.json"));
  return json;
}

PairCounts counts_of(const Json& json) { return {json[0], json[1], json[2], json[3]}; }

void expect_close(double found, const Json& expected, double relative = 1e-10) {
  if (expected.is_null()) {
    EXPECT_TRUE(std::isnan(found));
    return;
  }
  const auto value = expected.get<double>();
  EXPECT_NEAR(found, value, relative * (std::abs(value) + 1e-300) + 1e-300);
}

TEST(Statistics, WilsonIntervals) {
  for (const Json& entry : reference().at("wilson")) {
    SCOPED_TRACE(entry.dump());
    const Interval found = wilson_interval(entry.at("successes"), entry.at("trials"));
    EXPECT_NEAR(found.low, entry.at("low").get<double>(), 1e-12);
    EXPECT_NEAR(found.high, entry.at("high").get<double>(), 1e-12);
  }
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Statistics, PairedTests) {
  for (const Json& entry : reference().at("pairs")) {
    SCOPED_TRACE(entry.dump());
    const PairCounts counts = counts_of(entry.at("counts"));
    const McNemar found = mcnemar(counts);
    expect_close(found.p_exact, entry.at("p_exact"), 1e-8);
    // statsmodels lets the correction pass zero when both counts are the same; 0 is what it stands for.
    const bool equal = counts.first_only == counts.second_only;
    expect_close(found.chi2_corrected, equal ? Json(0.0) : entry.at("chi2_corrected"));
    expect_close(found.p_corrected, equal ? Json(1.0) : entry.at("p_corrected"), 1e-8);
    const double kappa = error_consistency(counts);
    if (entry.at("kappa").is_null()) {
      EXPECT_TRUE(std::isnan(kappa));
    } else {
      EXPECT_NEAR(kappa, entry.at("kappa").get<double>(), 1e-12);
    }
  }
}

// The reference has 400,000 samples of the counts; ours 10,000, whose percentiles vary by some 2 % of the width.
TEST(Statistics, RatiosOfMeans) {
  for (const Json& entry : reference().at("ratios")) {
    const auto first = entry.at("first").get<std::vector<double>>();
    const Ratio found = ratio_of_means(first, entry.at("second").get<std::vector<double>>());
    expect_close(found.ratio, entry.at("ratio"), 1e-12);
    expect_close(found.interval.low, entry.at("interval")[0], 1e-8);
    expect_close(found.interval.high, entry.at("interval")[1], 1e-8);
    if (first.size() < 100) continue;  // where a bootstrap comes to the same
    const double width = found.interval.high - found.interval.low;
    EXPECT_NEAR(found.interval.low, entry.at("bootstrap")[0].get<double>(), 0.1 * width);
    EXPECT_NEAR(found.interval.high, entry.at("bootstrap")[1].get<double>(), 0.1 * width);
  }
  EXPECT_TRUE(std::isnan(ratio_of_means({}, {}).ratio));
}

TEST(Statistics, BootstrapIntervals) {
  for (const Json& entry : reference().at("pairs")) {
    SCOPED_TRACE(entry.dump());
    const PairCounts counts = counts_of(entry.at("counts"));
    const Difference found = bootstrap_difference(counts, 7);
    EXPECT_NEAR(found.difference, entry.at("difference").get<double>(), 1e-12);
    const double low = entry.at("low"), high = entry.at("high");
    const double step = 1.0 / static_cast<double>(counts.total());  // differences are whole numbers of pictures
    EXPECT_NEAR(found.interval.low, low, 0.04 * (high - low) + step);
    EXPECT_NEAR(found.interval.high, high, 0.04 * (high - low) + step);
    const Difference again = bootstrap_difference(counts, 7);
    EXPECT_EQ(found.interval.low, again.interval.low);
    EXPECT_EQ(found.interval.high, again.interval.high);
  }
  const PairCounts imagenet{36800, 3400, 3350, 6450};
  EXPECT_NE(bootstrap_difference(imagenet, 7).interval.low, bootstrap_difference(imagenet, 8).interval.low);
}

// The draws are the project's own: these are the numbers with every standard library. Binomial numbers have the mean
// and the deviation that they should have, for few, many, rare and near-certain ones (the counts' interval is theirs).
TEST(Statistics, TheSameSeedGivesTheSameIntervalEverywhere) {
  const Interval found = bootstrap_difference({36800, 3400, 3350, 6450}, 7, 1000).interval;
  EXPECT_NEAR(found.low * 50000, -103, 1e-6);
  EXPECT_NEAR(found.high * 50000, 214, 1e-6);
}

TEST(Statistics, HolmAdjustsTheTestsOfManyPairs) {
  for (const Json& entry : reference().at("holm")) {
    const std::vector<double> found = holm_adjusted(entry.at("p").get<std::vector<double>>());
    const auto expected = entry.at("adjusted").get<std::vector<double>>();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-14) << i;
  }
  EXPECT_TRUE(holm_adjusted({}).empty());
}

// What the interval promises: of 200 experiments with a known difference, some 95 % cover it.
TEST(Statistics, BootstrapIntervalsCoverTheTruth) {
  constexpr int kExperiments = 200, kPictures = 2000;
  std::mt19937_64 random(3);
  std::discrete_distribution<int> outcome{0.70, 0.09, 0.06, 0.15};
  int covered = 0;
  for (int i = 0; i < kExperiments; ++i) {
    std::array<std::int64_t, 4> seen{};
    for (int picture = 0; picture < kPictures; ++picture) ++seen[static_cast<std::size_t>(outcome(random))];
    const Interval interval = bootstrap_difference({seen[0], seen[1], seen[2], seen[3]}, 1, 1000).interval;
    covered += interval.low <= 0.03 && 0.03 <= interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, kExperiments * 90 / 100);
  EXPECT_LT(covered, kExperiments);  // an interval that always covers is too wide
}

TEST(Statistics, KappaOfLabels) {
  for (const Json& entry : reference().at("labels")) {
    const auto first = entry.at("first").get<std::vector<int>>(), second = entry.at("second").get<std::vector<int>>();
    EXPECT_NEAR(cohen_kappa(first, second), entry.at("kappa").get<double>(), 1e-12);
    EXPECT_DOUBLE_EQ(cohen_kappa(first, first), 1);
  }
  const std::vector<int> constant(5, 3);
  EXPECT_TRUE(std::isnan(cohen_kappa(constant, constant)));
  EXPECT_TRUE(std::isnan(cohen_kappa({}, {})));
}

TEST(Statistics, Calibration) {
  for (const Json& entry : reference().at("calibration")) {
    const auto confidence = entry.at("confidence").get<std::vector<double>>();
    std::vector<bool> correct;
    for (const Json& value : entry.at("correct")) correct.push_back(value.get<int>() == 1);
    const std::vector<ReliabilityBin> bins = reliability(confidence, correct, entry.at("bins"));
    EXPECT_NEAR(expected_calibration_error(bins), entry.at("error").get<double>(), 1e-12);
    std::int64_t total = 0;
    for (const ReliabilityBin& bin : bins) {
      total += bin.count;
      if (bin.count == 0) continue;
      EXPECT_LE(bin.confidence, bin.high);
      EXPECT_GE(bin.confidence, bin.low);
    }
    EXPECT_EQ(total, static_cast<std::int64_t>(confidence.size()));
  }
  EXPECT_EQ(expected_calibration_error(reliability({}, {})), 0);
  for (const double none : {std::nan(""), -0.1, 1.1, HUGE_VAL}) {
    EXPECT_THROW(reliability(std::vector{none}, {true}), InternalError) << none;
  }
}

TEST(Statistics, BatchMeansFollowTheDriftOfTheMachine) {
  std::vector<double> rising(45);  // 20 stretches of two: means 1.5, 3.5 ... 39.5; the last five are in none
  std::iota(rising.begin(), rising.end(), 1.0);
  const MeanInterval found = batch_means(rising);
  EXPECT_DOUBLE_EQ(found.mean, 23);
  EXPECT_NEAR(found.interval.high - found.mean, 2.0930240544 * 2 * std::sqrt(35.0) / std::sqrt(20.0), 1e-9);
  EXPECT_NEAR(found.mean - found.interval.low, found.interval.high - found.mean, 1e-12);
  EXPECT_THROW(batch_means(std::vector<double>(19, 1.0)), InternalError);
}

TEST(Statistics, BatchMeansCoverTheMeanNineteenTimesInTwenty) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise;
  int covered = 0;
  constexpr int kTrials = 1000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values;
    double drift = 0;  // neighbours are alike: independence would make the interval a third as wide
    for (int i = 0; i < 2000; ++i) {
      drift = 0.8 * drift + noise(random);
      values.push_back(5 + drift);
    }
    const MeanInterval found = batch_means(values);
    if (found.interval.low <= 5 && 5 <= found.interval.high) ++covered;
  }
  EXPECT_GE(covered, 920);
  EXPECT_LE(covered, 980);
}

}  // namespace
}  // namespace tessera
