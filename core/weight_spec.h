#pragma once

#include <cmath>
#include <string>

#include "core/shape.h"

namespace tessera {

// Between what the values of a tensor lie where they are made up: seeded models, tests.
struct SeededRange {
  double low = -0.2, high = 0.2;
};
// Of a weight [O, ...]: sums of so many products of values of about 1 are of about 1 as well.
inline SeededRange seeded_by_fan_in(const Shape& weight) {
  const double bound = std::sqrt(3.0 / static_cast<double>(weight.count() / weight[0]));
  return {-bound, bound};
}
constexpr SeededRange kSeededFactor{0.8, 1.2};  // the factor of a norm, or a variance
constexpr SeededRange kSeededBias{-0.1, 0.1};   // of a product

// A tensor that a layer or a graph asks for: its state-dict name and its shape in the reference's layout.
struct WeightSpec {
  std::string name;  // "layer1.0.conv1.weight" in a graph, "weight" in a layer
  Shape shape;
  SeededRange seeded = {};
  // The same tensor, whatever it is made up of.
  bool operator==(const WeightSpec& other) const { return name == other.name && shape == other.shape; }
};

}  // namespace tessera
