#include "evaluation/summary/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "core/error.h"

namespace tessera {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ95 = 1.959963984540054;  // the normal distribution's 97.5 % point

double share(std::int64_t part, std::int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

// Agreement beyond chance, from what was observed and what independence would give.
double kappa(double observed, double expected) {
  return expected == 1 ? std::nan("") : (observed - expected) / (1 - expected);
}

// P(X <= k) for X of `n` throws of a coin, summed from the largest term down.
double coin_tail(std::int64_t k, std::int64_t n) {
  const auto x = static_cast<double>(k), trials = static_cast<double>(n);
  double term =
      std::exp(std::lgamma(trials + 1) - std::lgamma(x + 1) - std::lgamma(trials - x + 1) - trials * std::log(2.0));
  double sum = 0;
  for (std::int64_t i = k; i >= 0 && term > sum * 1e-18; --i) {
    sum += term;
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
  }
  return sum;
}

// A number of successes in `trials`, from `uniform` in [0, 1): the probabilities of the numbers are taken away from it,
// beginning with the most probable number and going outwards to both sides. std::binomial_distribution draws other
// numbers in each standard library.
std::int64_t binomial_draw(std::int64_t trials, double p, double uniform) {
  if (trials <= 0 || p <= 0) return 0;
  if (p >= 1) return trials;
  const auto n = static_cast<double>(trials);
  const std::int64_t mode = std::min(trials, static_cast<std::int64_t>((n + 1) * p));
  const auto middle = static_cast<double>(mode);
  double above = std::exp(std::lgamma(n + 1) - std::lgamma(middle + 1) - std::lgamma(n - middle + 1) +
                          middle * std::log(p) + (n - middle) * std::log1p(-p));
  double below = above, left = uniform - above;
  const double odds = p / (1 - p);
  constexpr double kNothing = 1e-18;  // what rounding leaves over belongs to the most probable number
  for (std::int64_t up = mode, down = mode; left >= 0;) {
    if (up < trials) {
      above *= static_cast<double>(trials - up) / static_cast<double>(up + 1) * odds;
      ++up;
      left -= above;
      if (left < 0) return up;
    } else {
      above = 0;
    }
    if (down > 0) {
      below *= static_cast<double>(down) / static_cast<double>(trials - down + 1) / odds;
      --down;
      left -= below;
      if (left < 0) return down;
    } else {
      below = 0;
    }
    if (above + below < kNothing) break;
  }
  return mode;
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t trials) {
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double p = share(successes, trials), z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

McNemar mcnemar(const PairCounts& counts) {
  const std::int64_t discordant = counts.first_only + counts.second_only;
  if (discordant == 0) return {};
  const std::int64_t fewer = std::min(counts.first_only, counts.second_only);
  const double gap = std::max(0.0, std::abs(static_cast<double>(counts.first_only - counts.second_only)) - 1);
  McNemar test;
  test.p_exact = counts.first_only == counts.second_only ? 1 : std::min(1.0, 2 * coin_tail(fewer, discordant));
  test.chi2_corrected = gap * gap / static_cast<double>(discordant);
  test.p_corrected = std::erfc(std::sqrt(test.chi2_corrected / 2));  // of one degree of freedom
  return test;
}

std::vector<double> holm_adjusted(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, p_values[order[rank]] * static_cast<double>(order.size() - rank));
    adjusted[order[rank]] = std::min(1.0, largest);
  }
  return adjusted;
}

Difference bootstrap_difference(const PairCounts& counts, std::uint64_t seed, int samples) {
  const std::int64_t total = counts.total();
  if (total == 0 || samples < 1) return {};
  const std::int64_t rest = total - counts.first_only;
  std::mt19937_64 random(seed);
  const auto uniform = [&random] { return static_cast<double>(random() >> 11U) * 0x1p-53; };
  const double first_share = share(counts.first_only, total);
  const double second_share = rest == 0 ? 0 : share(counts.second_only, rest);
  std::vector<double> differences;
  differences.reserve(static_cast<std::size_t>(samples));
  for (int i = 0; i < samples; ++i) {
    const std::int64_t first = binomial_draw(total, first_share, uniform());
    const std::int64_t second = binomial_draw(total - first, second_share, uniform());
    differences.push_back(share(first - second, total));
  }
  std::ranges::sort(differences);
  const auto at = [&](double q) {  // linear between ranks, as numpy.quantile has it
    const double rank = q * static_cast<double>(differences.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const std::size_t above = std::min(below + 1, differences.size() - 1);
    return differences[below] + (rank - static_cast<double>(below)) * (differences[above] - differences[below]);
  };
  constexpr double kTail = 0.025;
  return {share(counts.first_only - counts.second_only, total), {at(kTail), at(1 - kTail)}};
}

Ratio ratio_of_means(std::span<const double> first, std::span<const double> second) {
  if (first.size() != second.size()) throw InternalError("a ratio of paired values needs as many of each");
  const auto count = static_cast<double>(first.size());
  const double sum = std::accumulate(second.begin(), second.end(), 0.0);
  if (first.empty() || sum == 0) return {kNaN, {kNaN, kNaN}};
  const double ratio = std::accumulate(first.begin(), first.end(), 0.0) / sum;
  if (first.size() < 2) return {ratio, {kNaN, kNaN}};
  double squares = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double residual = first[i] - ratio * second[i];
    squares += residual * residual;
  }
  const double error = std::sqrt(squares / (count - 1) / count) / (sum / count);
  return {ratio, {ratio - kZ95 * error, ratio + kZ95 * error}};
}

MeanInterval batch_means(std::span<const double> values) {
  const std::size_t length = values.size() / kBatchMeans;
  if (length == 0) throw InternalError("batch means of " + std::to_string(values.size()) + " values");
  const auto mean_of = [](std::span<const double> some) {
    return std::accumulate(some.begin(), some.end(), 0.0) / static_cast<double>(some.size());
  };
  std::vector<double> means;
  for (std::size_t i = 0; i < kBatchMeans; ++i) means.push_back(mean_of(values.subspan(i * length, length)));
  const double centre = mean_of(means);
  double squares = 0;
  for (const double mean : means) squares += (mean - centre) * (mean - centre);
  constexpr double kT = 2.093024054408263;  // Student's 97.5 % point of 19 degrees of freedom
  const double half = kT * std::sqrt(squares / (kBatchMeans - 1) / kBatchMeans);
  const double mean = mean_of(values);
  return {.mean = mean, .interval = {mean - half, mean + half}};
}

double error_consistency(const PairCounts& counts) {
  const std::int64_t total = counts.total();
  if (total == 0) return std::nan("");
  const double first = share(counts.both + counts.first_only, total);
  const double second = share(counts.both + counts.second_only, total);
  return kappa(share(counts.both + counts.neither, total), first * second + (1 - first) * (1 - second));
}

double cohen_kappa(std::span<const int> first, std::span<const int> second) {
  if (first.size() != second.size()) throw InternalError("kappa of arrays of different lengths");
  if (first.empty()) return std::nan("");
  std::map<int, std::pair<std::int64_t, std::int64_t>> named;
  std::int64_t same = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    ++named[first[i]].first;
    ++named[second[i]].second;
    same += first[i] == second[i] ? 1 : 0;
  }
  const auto total = static_cast<std::int64_t>(first.size());
  double expected = 0;
  for (const auto& [label, counts] : named) expected += share(counts.first, total) * share(counts.second, total);
  return kappa(share(same, total), expected);
}

std::vector<ReliabilityBin> reliability(std::span<const double> confidence, const std::vector<bool>& correct,
                                        std::size_t bins) {
  if (confidence.size() != correct.size()) throw InternalError("reliability of arrays of different lengths");
  const auto count = static_cast<double>(bins);
  std::vector<ReliabilityBin> result(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    result[i].low = static_cast<double>(i) / count;
    result[i].high = static_cast<double>(i + 1) / count;
  }
  constexpr double kMost = 1 + 1e-6;  // float32 may pass 1 by a rounding
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    if (!(confidence[i] >= 0 && confidence[i] <= kMost)) {
      throw InternalError("a confidence is " + std::to_string(confidence[i]) + ", not 0 to 1");
    }
    const auto bin = static_cast<std::ptrdiff_t>(std::ceil(confidence[i] * count)) - 1;
    ReliabilityBin& to =
        result[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(bin, 0, static_cast<std::ptrdiff_t>(bins) - 1))];
    ++to.count;
    to.confidence += confidence[i];
    to.accuracy += correct[i] ? 1 : 0;
  }
  for (ReliabilityBin& bin : result) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return result;
}

double expected_calibration_error(std::span<const ReliabilityBin> bins) {
  double sum = 0;
  std::int64_t total = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.confidence - bin.accuracy);
    total += bin.count;
  }
  return total == 0 ? 0 : sum / static_cast<double>(total);
}

}  // namespace tessera
