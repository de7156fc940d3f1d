#include "evaluation/ready/probabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace tessera {

namespace {

// What is no number comes last: sorting needs an order.
double order_of(double value) { return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value; }
}  // namespace

std::string fault_of_logits(std::span<const float> logits) {
  const auto bad = std::ranges::find_if_not(logits, [](float logit) { return std::isfinite(logit); });
  if (bad == logits.end()) return "";
  const char* const name = std::isnan(*bad) ? "nan" : *bad > 0 ? "infinite" : "minus infinity";
  return fmt::format("logit {} of {} is {}", bad - logits.begin(), logits.size(), name);
}

std::vector<double> probabilities(std::span<const float> logits) {
  if (const std::string fault = fault_of_logits(logits); !fault.empty()) throw ModelFileError(fault);
  const double largest = *std::ranges::max_element(logits);
  std::vector<double> result;
  result.reserve(logits.size());
  for (const float logit : logits) result.push_back(std::exp(double{logit} - largest));
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  for (double& value : result) value /= sum;
  return result;
}

std::vector<ClassProbability> top(std::span<const double> probabilities, std::size_t count) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count), [&](int a, int b) {
    const double pa = order_of(probabilities[static_cast<std::size_t>(a)]);
    const double pb = order_of(probabilities[static_cast<std::size_t>(b)]);
    return pa != pb ? pa > pb : a < b;
  });
  std::vector<ClassProbability> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back({order[i], probabilities[static_cast<std::size_t>(order[i])]});
  }
  return result;
}

}  // namespace tessera
