#pragma once
// The cases of tests/data/layers/cases.h5: layers with PyTorch's values. Shared by every backend's tests.

#include <string>
#include <vector>

#include "core/tensor.h"
#include "core/weight_spec.h"
#include "layers/layer.h"

namespace tessera {

struct LayerCase {
  std::string name;
  Layer layer;
  std::vector<Tensor> inputs;
  std::vector<WeightSpec> weight_specs;  // under PyTorch's names
  std::vector<Tensor> weights;
  Shape output_shape;
  std::vector<double> output;
  std::int64_t reduction = 1;  // values summed for one output value: scales the tolerance
};

// Cases of single layers (the composed squeeze-excite is not among them). Throws when the file cannot be read.
const std::vector<LayerCase>& layer_cases();
// The composed case.
LayerCase squeeze_excite_case();

}  // namespace tessera
