#include "evaluation/check/verify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "evaluation/ready/probabilities.h"

namespace tessera {

namespace {

// Compares the values of an activation that lie in pictures [first, first + batch).
void compare_activation(const StoredActivation& expected, ConstView found, std::int64_t first, DifferenceSum& sum) {
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
    sum.add(double{found.data()[index - begin]}, expected.values[i], index);
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

VerifyResult verify_model(LoadedModel model, const ActivationFile& reference, RunOptions options,
                          const Tolerance& tolerance) {
  VerifyResult result;
  const Graph graph = build_graph(model.card.config);
  std::vector<std::pair<ValueId, const StoredActivation*>> wanted;
  for (const StoredActivation& activation : reference.activations) {
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
  const std::int64_t outputs = classifier.outputs();
  if (reference.output_shape != Shape{pictures, outputs}) {
    throw CheckError("the reference's output has the shape " + to_string(reference.output_shape) +
                     ", the model gives " + to_string(Shape{pictures, outputs}));
  }
  DifferenceSum output_sum("output", reference.output_shape, tolerance);
  std::vector<DifferenceSum> sums;
  for (const auto& [id, activation] : wanted) sums.emplace_back(activation->path, activation->shape, tolerance);
  for (std::int64_t first = 0; first < pictures; first += options.max_batch) {
    const std::int64_t batch = std::min(options.max_batch, pictures - first);
    Shape shape = reference.input.shape();
    shape[0] = batch;
    const ConstView input(reference.input.view().slice(first).data(), shape);
    const ConstView output = classifier.session().run(input);
    for (std::int64_t i = 0; i < output.count(); ++i) {
      const std::int64_t index = first * outputs + i;
      output_sum.add(double{output.data()[i]}, reference.output[static_cast<std::size_t>(index)], index);
    }
    for (std::int64_t n = 0; n < batch && classifier.has_classes(); ++n) {
      const std::vector<double> found(output.slice(n).values().begin(), output.slice(n).values().end());
      const std::span<const double> expected(reference.output.data() + (first + n) * outputs,
                                             static_cast<std::size_t>(outputs));
      result.top5_equal &= top5(found) == top5(expected);
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const StoredActivation& activation = *wanted[i].second;
      compare_activation(activation, classifier.session().tap(activation.path).view(), first, sums[i]);
    }
  }
  for (const DifferenceSum& sum : sums) result.activations.push_back(sum.result());
  result.output = output_sum.result();
  return result;
}

}  // namespace tessera
