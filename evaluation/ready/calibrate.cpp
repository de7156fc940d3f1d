#include "evaluation/ready/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "vision/dataset.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

constexpr std::size_t kBins = 2048;

struct Seen {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  std::array<double, kBins> counts{};

  double width() const { return (double{high} - double{low}) / kBins; }
};

// By node: the range of its output, then how its values lie in it.
class RangeObserver final : public Observer {
 public:
  explicit RangeObserver(std::size_t nodes) : seen_(nodes) {}

  void count_values() { counting_ = true; }
  void after_node(const NodeEvent& event) override {
    Seen& seen = seen_[event.index];
    const std::span<const float> values = event.output.f32().values();
    if (!counting_) {
      // No order has a place for nan, which would pass unseen between numbers.
      if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
        throw ModelFileError(event.node.path + " gives values that are not finite; ranges cannot be measured");
      }
      const auto [low, high] = std::ranges::minmax_element(values);
      seen.low = std::min(seen.low, *low);
      seen.high = std::max(seen.high, *high);
      return;
    }
    const float steps = seen.high > seen.low ? static_cast<float>(kBins) / (seen.high - seen.low) : 0.0F;
    for (const float value : values) {
      const auto bin = static_cast<std::size_t>(std::max(0.0F, (value - seen.low) * steps));
      seen.counts[std::min(bin, kBins - 1)] += 1;
    }
  }
  const std::vector<Seen>& seen() const { return seen_; }

 private:
  std::vector<Seen> seen_;
  bool counting_ = false;
};

// The squared error of rounding what was seen to 256 steps of a range, each bin's values taken at its middle: clipped
// values err by their distance, the others by a step's variance.
double squared_error(const Seen& seen, const ValueRange& range) {
  const double step = quantisation_of(range).scale;
  double error = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const double value = double{seen.low} + (static_cast<double>(bin) + 0.5) * seen.width();
    const double beyond = value - std::clamp<double>(value, std::min(0.0F, range.low), std::max(0.0F, range.high));
    error += seen.counts[bin] * (beyond * beyond + step * step / 12);
  }
  return error;
}

ValueRange least_error_range(const Seen& seen) {
  constexpr int kCandidates = 64;
  ValueRange best{seen.low, seen.high};
  double least = squared_error(seen, best);
  for (int i = kCandidates / 8; i < kCandidates; ++i) {
    const float share = static_cast<float>(i) / kCandidates;
    const ValueRange candidate{seen.low * share, seen.high * share};
    const double error = squared_error(seen, candidate);
    if (error >= least) continue;
    least = error;
    best = candidate;
  }
  return best;
}

ValueRanges ranges_of(const Graph& graph, const std::vector<Seen>& all, RangeMethod method) {
  ValueRanges ranges;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Seen& seen = all[n];
    ranges[graph.nodes()[n].origin.back()] =
        method == RangeMethod::kMse ? least_error_range(seen) : ValueRange{seen.low, seen.high};
  }
  return ranges;
}

}  // namespace

RangeMethod range_method_from_string(const std::string& name) {
  if (name == "minmax") return RangeMethod::kMinMax;
  if (name == "mse") return RangeMethod::kMse;
  throw UsageError(unknown_word("method", name, std::vector<std::string>{"mse", "minmax"}));
}

std::string_view to_string(RangeMethod method) { return method == RangeMethod::kMse ? "mse" : "minmax"; }

std::vector<Sample> calibration_pictures(std::vector<Sample> pictures, std::size_t limit) {
  if (limit == 0 || limit >= pictures.size()) return pictures;
  std::vector<Sample> chosen;
  for (std::size_t i = 0; i < limit; ++i) chosen.push_back(std::move(pictures[i * pictures.size() / limit]));
  return chosen;
}

std::optional<Calibrated> calibrate(Classifier& classifier, const std::vector<Sample>& pictures, RangeMethod method,
                                    const DecodeOptions& decode_options,
                                    const std::function<bool(std::size_t, std::size_t)>& progress) {
  const Graph& graph = classifier.program().graph();
  RangeObserver ranges(graph.nodes().size());
  Observer* const observer = &ranges;
  const std::size_t passes = method == RangeMethod::kMse ? 2 : 1;
  Tensor input = classifier.input(1);
  std::map<std::size_t, std::string> failed;  // by number
  std::string digests;
  std::size_t done = 0;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    if (pass == 1) ranges.count_values();
    for (std::size_t number = 0; number < pictures.size(); ++number) {
      if (!failed.contains(number)) {
        try {
          const std::vector<std::byte> bytes = read_picture(pictures[number]);
          preprocess_image(decode(bytes, where(pictures[number]), decode_options), classifier.card().preprocess,
                           input.view());
          classifier.session().run(input.view(), {&observer, 1});
          if (pass == 0) digests += sha256(bytes);
        } catch (const InputError& error) {
          failed.emplace(number, error.what());
        }
      }
      if (!progress(++done, passes * pictures.size())) return std::nullopt;
    }
  }
  if (failed.size() == pictures.size()) {
    throw InputError(fmt::format("none of the {} pictures could be read; the first: {}", pictures.size(),
                                 failed.empty() ? "there is none" : failed.begin()->second));
  }
  Calibrated result{.calibration = {.ranges = ranges_of(graph, ranges.seen(), method),
                                    .pictures = static_cast<std::int64_t>(pictures.size() - failed.size()),
                                    .method = std::string(to_string(method)),
                                    .pictures_sha256 = sha256(std::as_bytes(std::span(digests)))},
                    .failed = {}};
  for (auto& [number, error] : failed) result.failed.push_back(std::move(error));
  return result;
}

}  // namespace tessera
