#include "evaluation/verify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"

namespace tessera {

namespace {

void compare_value(double found, double expected, std::int64_t index, const Tolerance& tolerance,
                   LayerDifference& difference) {
  const double error = std::abs(found - expected);
  double ratio = error / (tolerance.absolute + tolerance.relative * std::abs(expected));
  if (!std::isfinite(found) || !std::isfinite(expected)) ratio = HUGE_VAL;
  difference.mean_error += error;
  difference.max_error = std::max(difference.max_error, error);
  ++difference.values;
  if (ratio > difference.worst) {
    difference.worst = ratio;
    difference.worst_index = index;
    difference.expected = expected;
    difference.found = found;
  }
}

// Compares the values of an activation that lie in pictures [first, first + batch).
void compare_activation(const ReferenceActivation& expected, ConstView found, std::int64_t first,
                        const Tolerance& tolerance, LayerDifference& difference) {
  const std::int64_t per_picture = expected.shape.count() / expected.shape[0];
  const std::int64_t begin = first * per_picture;
  const std::int64_t end = begin + found.count();
  if (found.stride0() != per_picture) {
    throw CheckError(expected.path + ": the reference has the shape " + to_string(expected.shape) +
                     ", the model gives " + to_string(found.shape()));
  }
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const std::int64_t index = expected.indices.empty() ? static_cast<std::int64_t>(i) : expected.indices[i];
    if (index < begin || index >= end) continue;
    compare_value(double{found.data()[index - begin]}, expected.values[i], index, tolerance, difference);
  }
}

std::set<int> top5(std::span<const double> values) {
  std::set<int> indices;
  for (const ClassProbability& entry : top(values, 5)) indices.insert(entry.index);
  return indices;
}

}  // namespace

bool VerifyResult::passed() const {
  return output.passed() && top5_equal && missing.empty() && first_failure() == nullptr;
}

const LayerDifference* VerifyResult::first_failure() const {
  const auto found = std::ranges::find_if(activations, [](const LayerDifference& d) { return !d.passed(); });
  return found == activations.end() ? nullptr : &*found;
}

VerifyResult verify_model(LoadedModel model, const ReferenceFile& reference, RunOptions options,
                          const Tolerance& tolerance) {
  VerifyResult result;
  const Graph graph = build_graph(model.card.config);
  std::vector<std::pair<ValueId, const ReferenceActivation*>> wanted;
  for (const ReferenceActivation& activation : reference.activations) {
    const auto found = graph.names().find(activation.path);
    if (found == graph.names().end()) {
      result.missing.push_back(activation.path);
      continue;
    }
    options.taps.push_back(activation.path);
    wanted.emplace_back(found->second, &activation);
  }
  std::ranges::stable_sort(wanted, {}, [](const auto& entry) { return entry.first; });

  Classifier classifier(std::move(model), options);
  const std::int64_t pictures = reference.input.shape()[0];
  result.output.path = "output";
  for (const auto& [id, activation] : wanted) {
    result.activations.emplace_back().path = activation->path;
  }
  const std::int64_t outputs = classifier.outputs();
  if (reference.output_shape != Shape{pictures, outputs}) {
    throw CheckError("the reference's output has the shape " + to_string(reference.output_shape) +
                     ", the model gives " + to_string(Shape{pictures, outputs}));
  }
  for (std::int64_t first = 0; first < pictures; first += options.max_batch) {
    const std::int64_t batch = std::min(options.max_batch, pictures - first);
    Shape shape = reference.input.shape();
    shape[0] = batch;
    const ConstView input(reference.input.view().slice(first).data(), shape);
    const ConstView output = classifier.session().run(input);
    for (std::int64_t i = 0; i < output.count(); ++i) {
      const std::int64_t index = first * outputs + i;
      compare_value(double{output.data()[i]}, reference.output[static_cast<std::size_t>(index)], index, tolerance,
                    result.output);
    }
    for (std::int64_t n = 0; n < batch && classifier.has_classes(); ++n) {
      const std::vector<double> found(output.slice(n).values().begin(), output.slice(n).values().end());
      const std::span<const double> expected(reference.output.data() + (first + n) * outputs,
                                             static_cast<std::size_t>(outputs));
      result.top5_equal &= top5(found) == top5(expected);
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const ReferenceActivation& activation = *wanted[i].second;
      compare_activation(activation, classifier.session().tap(activation.path).view(), first, tolerance,
                         result.activations[i]);
    }
  }
  for (LayerDifference& difference : result.activations) {
    difference.mean_error /= static_cast<double>(std::max<std::size_t>(1, difference.values));
  }
  result.output.mean_error /= static_cast<double>(std::max<std::size_t>(1, result.output.values));
  return result;
}

}  // namespace tessera
