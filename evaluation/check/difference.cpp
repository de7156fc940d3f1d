#include "evaluation/check/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

LayerDifference misshapen(std::string path, const Shape& expected, const Shape& found) {
  return {.path = std::move(path), .shape = expected, .other_shape = found};
}

// [N, H, W, C] and [N, H * W, C] are the same values in the same order: a patch embedding is either.
bool same_values(const Shape& a, const Shape& b) {
  return a == b || (a.rank() >= 2 && b.rank() >= 2 && a[0] == b[0] && a[-1] == b[-1] && a.count() == b.count());
}

// The samples of the first that the second has as well. Indices are sorted in files of ours; others are put in order.
LayerDifference compare_activations(const StoredActivation& first, const StoredActivation& second,
                                    const Tolerance& tolerance) {
  DifferenceSum sum(first.path, first.shape, tolerance);
  std::map<std::int64_t, double> found;  // of a sampled second file
  for (std::size_t i = 0; i < second.indices.size(); ++i) found.emplace(second.indices[i], second.values[i]);
  for (std::size_t i = 0; i < first.values.size(); ++i) {
    const std::int64_t index = first.indices.empty() ? static_cast<std::int64_t>(i) : first.indices[i];
    if (second.indices.empty()) {
      sum.add(second.values[static_cast<std::size_t>(index)], first.values[i], index);
    } else if (const auto at = found.find(index); at != found.end()) {
      sum.add(at->second, first.values[i], index);
    }
  }
  return sum.result();
}

LayerDifference compare_inputs(const ActivationReader& first, const ActivationReader& second,
                               const Tolerance& tolerance) {
  if (first.input_shape() != second.input_shape()) {
    return misshapen("input", first.input_shape(), second.input_shape());
  }
  const Tensor expected = first.input(), found = second.input();
  DifferenceSum sum("input", first.input_shape(), tolerance);
  for (std::int64_t i = 0; i < expected.shape().count(); ++i) sum.add(found.data()[i], expected.data()[i], i);
  return sum.result();
}

LayerDifference compare_outputs(const ActivationReader& first, const ActivationReader& second,
                                const Tolerance& tolerance) {
  if (first.output_shape() != second.output_shape()) {
    return misshapen("output", first.output_shape(), second.output_shape());
  }
  const std::vector<double> expected = first.output(), found = second.output();
  DifferenceSum sum("output", first.output_shape(), tolerance);
  for (std::size_t i = 0; i < expected.size(); ++i) sum.add(found[i], expected[i], static_cast<std::int64_t>(i));
  return sum.result();
}

}  // namespace

DifferenceSum::DifferenceSum(std::string path, const Shape& shape, const Tolerance& tolerance)
    : tolerance_(tolerance), difference_{.path = std::move(path), .shape = shape} {}

void DifferenceSum::add(double found, double expected, std::int64_t index) {
  const bool finite = std::isfinite(found) && std::isfinite(expected);
  const double error = finite ? std::abs(found - expected) : HUGE_VAL;
  const double limit = tolerance_.absolute + tolerance_.relative * std::abs(expected);
  const double share = finite && error == 0 ? 0 : error / limit;  // a tolerance of nothing takes equal values
  error_sum_ += error;
  product_ += found * expected;
  found_square_ += found * found;
  expected_square_ += expected * expected;
  difference_.max_error = std::max(difference_.max_error, error);
  ++difference_.values;
  if (share > difference_.worst || !finite) {
    if (std::isinf(difference_.worst)) return;  // the first of those that are not finite
    difference_.worst = finite ? share : HUGE_VAL;
    difference_.worst_index = index;
    difference_.expected = expected;
    difference_.found = found;
  }
}

LayerDifference DifferenceSum::result() const {
  LayerDifference result = difference_;
  result.mean_error = error_sum_ / static_cast<double>(std::max<std::size_t>(1, result.values));
  const double lengths = std::sqrt(found_square_) * std::sqrt(expected_square_);
  if (lengths > 0) {
    result.cosine = std::clamp(product_ / lengths, -1.0, 1.0);
  } else if (found_square_ != expected_square_) {
    result.cosine = 0;
  }
  if (!std::isfinite(result.max_error)) result.cosine = std::numeric_limits<double>::quiet_NaN();
  return result;
}

std::vector<std::int64_t> position_of(std::int64_t index, const Shape& shape) {
  std::vector<std::int64_t> position(static_cast<std::size_t>(shape.rank()));
  for (std::size_t d = position.size(); d-- > 0;) {
    const std::int64_t length = std::max<std::int64_t>(1, shape[static_cast<int>(d)]);
    position[d] = index % length;
    index /= length;
  }
  return position;
}

std::string position_text(std::int64_t index, const Shape& shape) {
  const std::vector<std::int64_t> position = position_of(index, shape);
  const std::string_view layout = layout_of(shape);
  std::string text;
  for (std::size_t d = 0; d < position.size(); ++d) {
    const char name = d < layout.size() ? static_cast<char>(layout[d] - 'A' + 'a') : 'i';
    text += fmt::format("{}{} {}", d == 0 ? "" : ", ", name, position[d]);
  }
  return text;
}

const LayerDifference* FileDifference::first_failure() const {
  const auto found = std::ranges::find_if(layers, [](const LayerDifference& layer) { return !layer.passed(); });
  return found == layers.end() ? nullptr : &*found;
}

const LayerDifference* FileDifference::worst_failure() const {
  const auto badness = [](const LayerDifference& layer) { return layer.other_shape ? HUGE_VAL : layer.worst; };
  const auto worst = std::ranges::max_element(layers, {}, badness);
  return worst == layers.end() || worst->passed() ? nullptr : &*worst;
}

FileDifference compare_files(const ActivationReader& first, const ActivationReader& second,
                             const Tolerance& tolerance) {
  std::map<std::string_view, const ActivationEntry*> others;
  for (const ActivationEntry& entry : second.activations()) others.emplace(entry.path, &entry);
  FileDifference result;
  result.layers.push_back(compare_inputs(first, second, tolerance));
  for (const ActivationEntry& entry : first.activations()) {
    const auto other = others.find(entry.path);
    if (other == others.end()) {
      result.only_in_first.push_back(entry.path);
      continue;
    }
    const ActivationEntry& found = *other->second;
    result.layers.push_back(same_values(entry.shape, found.shape)
                                ? compare_activations(first.read(entry), second.read(found), tolerance)
                                : misshapen(entry.path, entry.shape, found.shape));
    others.erase(other);
  }
  for (const ActivationEntry& entry : second.activations()) {
    if (others.contains(entry.path)) result.only_in_second.push_back(entry.path);
  }
  if (result.layers.size() == 1 && !first.activations().empty()) {
    throw CheckError(first.file() + " and " + second.file() + " have no layer in common: '" +
                     first.activations().front().path + "' there, '" +
                     (second.activations().empty() ? "" : second.activations().front().path) + "' here");
  }
  result.layers.push_back(compare_outputs(first, second, tolerance));
  return result;
}

}  // namespace tessera
