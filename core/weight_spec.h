#pragma once

#include <string>

#include "core/shape.h"

namespace tessera {

// A tensor that a layer or a graph asks for: its state-dict name and its shape in the reference's layout.
struct WeightSpec {
  std::string name;  // "layer1.0.conv1.weight" in a graph, "weight" in a layer
  Shape shape;
  bool operator==(const WeightSpec&) const = default;
};

}  // namespace tessera
