#include "evaluation/probe/linear_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

// The strengths that are tried, as shares of what the features themselves weigh: l2 = share * rows * scale^2. From the
// strongest on, two steps a decade.
constexpr double kStrongest = 10;
constexpr int kSteps = 19;        // down to 1e-8
constexpr int kWorseSteps = 2;    // so many in a row that are worse than the best end the search
constexpr double kCoarse = 1e-4;  // tolerance of the search; the head itself is fitted to LogisticOptions' own

// The same on every machine, which std::shuffle is not.
void shuffle(std::vector<std::int64_t>& values, std::mt19937_64& random) {
  for (std::size_t left = values.size(); left > 1; --left) std::swap(values[left - 1], values[random() % left]);
}

void check(const ProbeOptions& options) {
  if (!(options.holdout >= 0 && options.holdout < 1)) throw UsageError("the share held out must lie in [0, 1)");
  if (options.l2 && !(*options.l2 > 0 && std::isfinite(*options.l2))) {
    throw UsageError("the l2 strength must be positive; without any, separable classes have no best head");
  }
  if (!options.l2 && options.holdout == 0) {
    throw UsageError("with nothing held out, the l2 strength must be given");
  }
}

class Probe {
 public:
  Probe(std::span<const float> features, std::span<const int> labels, int classes, const ProbeOptions& options,
        const std::atomic<bool>& stop)
      : all_(labels.size()), options_(options), stop_(stop) {
    std::iota(all_.begin(), all_.end(), 0);
    split_ = split_by_class(labels, classes, options.holdout, options.seed);
    data_ = {.features = features,
             .labels = labels,
             .rows = all_,
             .width = static_cast<std::int64_t>(features.size() / labels.size()),
             .classes = classes};
  }

  bool any_held_out() const { return !split_.held_out.empty(); }

  // Fits on the pictures kept, beginning where the fit before ended.
  ProbeStep try_strength(double l2, double tolerance) {
    const LabelledFeatures kept = rows(split_.kept);
    LogisticFit fit = fit_logistic(kept, {.l2 = l2, .tolerance = tolerance, .threads = options_.threads}, last_, stop_);
    const ProbeStep step{.l2 = l2,
                         .kept = score_head(kept, fit.head, options_.threads),
                         .held_out = score_head(rows(split_.held_out), fit.head, options_.threads),
                         .iterations = fit.iterations,
                         .converged = fit.converged};
    last_ = std::move(fit.head);
    return step;
  }

  // The strongest that is tried.
  double strongest() const {
    const double scale = feature_scale(rows(split_.kept));
    return kStrongest * static_cast<double>(split_.kept.size()) * scale * scale;
  }

  // The head of the last fit is where fit_all() will begin.
  void remember() { best_ = last_; }
  LogisticFit fit_all(double l2) const {
    return fit_logistic(data_, {.l2 = l2, .threads = options_.threads}, best_, stop_);
  }
  HeadScore score_all(const LinearHead& head) const { return score_head(data_, head, options_.threads); }

 private:
  LabelledFeatures rows(const std::vector<std::int64_t>& which) const {
    LabelledFeatures data = data_;
    data.rows = which;
    return data;
  }

  std::vector<std::int64_t> all_;
  Split split_;
  LabelledFeatures data_;
  ProbeOptions options_;
  const std::atomic<bool>& stop_;
  LinearHead last_, best_;
};

// From strong to weak until it has become worse; `chosen` is the least cross-entropy on the pictures held out.
void search(Probe& probe, ProbeResult& result, const std::atomic<bool>& stop,
            const std::function<void(const ProbeStep&)>& progress) {
  const double strongest = probe.strongest();
  int worse = 0;
  for (int i = 0; i < kSteps && worse < kWorseSteps && !stop; ++i) {
    result.tried.push_back(probe.try_strength(strongest * std::pow(10.0, -i / 2.0), kCoarse));
    progress(result.tried.back());
    const double loss = result.tried.back().held_out.log_loss;
    const bool better = !result.chosen || loss < result.tried[*result.chosen].held_out.log_loss;
    if (better) {
      result.chosen = result.tried.size() - 1;
      probe.remember();
    }
    worse = better ? 0 : worse + 1;
  }
}

}  // namespace

Split split_by_class(std::span<const int> labels, int classes, double share, std::uint64_t seed) {
  std::vector<std::vector<std::int64_t>> of_class(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    of_class.at(static_cast<std::size_t>(labels[i])).push_back(static_cast<std::int64_t>(i));
  }
  std::mt19937_64 random(seed);
  Split split;
  for (std::vector<std::int64_t>& pictures : of_class) {
    const auto count = static_cast<std::int64_t>(pictures.size());
    shuffle(pictures, random);
    const std::int64_t wanted =
        share > 0 ? std::max<std::int64_t>(1, std::llround(share * static_cast<double>(count))) : 0;
    const auto middle = pictures.begin() + std::clamp<std::int64_t>(wanted, 0, std::max<std::int64_t>(count - 1, 0));
    split.held_out.insert(split.held_out.end(), pictures.begin(), middle);
    split.kept.insert(split.kept.end(), middle, pictures.end());
  }
  std::ranges::sort(split.kept);
  std::ranges::sort(split.held_out);
  return split;
}

std::optional<ProbeResult> fit_probe(std::span<const float> features, std::span<const int> labels, int classes,
                                     const ProbeOptions& options, const std::atomic<bool>& stop,
                                     const std::function<void(const ProbeStep&)>& progress) {
  check(options);
  Probe probe(features, labels, classes, options, stop);
  ProbeResult result;
  if (options.l2) {
    result.l2 = *options.l2;
    if (probe.any_held_out()) {
      result.tried.push_back(probe.try_strength(result.l2, LogisticOptions{}.tolerance));
      result.chosen = 0;
      probe.remember();
      progress(result.tried.back());
    }
  } else {
    if (!probe.any_held_out()) {
      throw InputError(
          "every class has one picture only: none can be held out to choose the l2 strength, which must "
          "be given");
    }
    search(probe, result, stop, progress);
    if (stop) return std::nullopt;
    result.l2 = result.tried[*result.chosen].l2;
  }
  result.fit = probe.fit_all(result.l2);
  if (stop) return std::nullopt;
  result.all = probe.score_all(result.fit.head);
  return result;
}

}  // namespace tessera
