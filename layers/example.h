#pragma once
// Layers with the shapes of their inputs, which each layer gives of itself (examples(), drawn()). What is checked of
// every layer, on every backend, is checked on these.

#include <string_view>
#include <vector>

#include "layers/draw.h"
#include "layers/layer_interface.h"

namespace tessera {

template <class L>
struct Example {
  L layer;
  std::vector<Shape> in;
};

// Shapes, or attributes, that the layer refuses.
template <class L>
struct Refusal {
  L layer;
  std::vector<Shape> in;
  std::string_view because;  // what its message says, in part
};

template <class L>
struct Examples {
  std::vector<Example<L>> good;
  std::vector<Refusal<L>> refused;
};

}  // namespace tessera
