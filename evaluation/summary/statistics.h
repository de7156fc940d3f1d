#pragma once
// Statistics of two classifiers on the same pictures: intervals, tests of a difference, agreement, calibration.
// Functions of counts and arrays; nothing here knows of models. Values are checked against SciPy, statsmodels and
// scikit-learn (tests/reference/paired_statistics.py).

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera {

struct Interval {
  double low = 0, high = 0;
};

// Wilson's score interval (1927) of a share, 95 %. Of no trials: [0, 1].
Interval wilson_interval(std::int64_t successes, std::int64_t trials);

// How often each of two classifiers was right on the same pictures.
struct PairCounts {
  std::int64_t both = 0, first_only = 0, second_only = 0, neither = 0;
  std::int64_t total() const noexcept { return both + first_only + second_only + neither; }
};

// McNemar's test (1947): is one of them right more often? Only pictures on which exactly one is right count.
struct McNemar {
  double p_exact = 1;         // two-sided binomial test
  double chi2_corrected = 0;  // with Edwards' continuity correction; 0 without discordant pictures
  double p_corrected = 1;
};
McNemar mcnemar(const PairCounts& counts);

// The p values of several tests, adjusted (Holm 1979) so that, when each is compared with 0.05, one in twenty such
// families has a false finding. In ascending order the smallest is multiplied by their number, the next by one less,
// ...; none is below the one before it or above 1. Returned in the order given.
std::vector<double> holm_adjusted(std::span<const double> p_values);

// Difference of accuracies, first - second, and its 95 % interval: percentiles of bootstrap samples of pictures (Efron
// 1979). A sample of pictures is drawn as its counts, which has the same distribution and no cost per picture. The same
// seed gives the same interval, whichever standard library the program was built with.
struct Difference {
  double difference = 0;
  Interval interval;
};
Difference bootstrap_difference(const PairCounts& counts, std::uint64_t seed, int samples = 10'000);

// Mean of the first over mean of the second, for values measured on the same pictures, and its 95 % interval by the
// delta method (Cochran 1977, eq. 2.39): the pictures are a sample, and costs common to both cancel. NaN for no
// pictures or a second mean of 0. Throws InternalError when the lengths differ.
struct Ratio {
  double ratio = 0;
  Interval interval;
};
Ratio ratio_of_means(std::span<const double> first, std::span<const double> second);

// Mean of values that were measured one after the other, and its 95 % interval by batch means (Conway 1963): the means
// of 20 stretches of equal length (the remainder at the end is in none) and Student's t with 19 degrees of freedom.
// Neighbours need not be independent; times of a machine are not. Throws InternalError for fewer than 20 values.
inline constexpr std::int64_t kBatchMeans = 20;
struct MeanInterval {
  double mean = 0;  // of all values
  Interval interval;
};
MeanInterval batch_means(std::span<const double> values);

// Cohen's kappa (1960) of being right: 1 when both err on the same pictures, 0 when they err together as often as by
// chance ("error consistency", Geirhos et al. 2020). NaN where they always agree by chance alone.
double error_consistency(const PairCounts& counts);

// Cohen's kappa of the predicted classes of two classifiers. NaN as above.
double cohen_kappa(std::span<const int> first, std::span<const int> second);

// Predictions whose confidence lies in (low, high]; the first bin holds 0 as well.
struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t count = 0;
  double confidence = 0;  // means; 0 for an empty bin
  double accuracy = 0;
};
// `confidence` 0 to 1. Throws InternalError when the lengths differ or a confidence is not in that range.
std::vector<ReliabilityBin> reliability(std::span<const double> confidence, const std::vector<bool>& correct,
                                        std::size_t bins = 15);
// Expected calibration error (Guo et al. 2017): the mean distance of confidence from accuracy over the bins.
double expected_calibration_error(std::span<const ReliabilityBin> bins);

}  // namespace tessera
