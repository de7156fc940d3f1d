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
  std::vector<WeightSpec> weight_specs;  // under PyTorch's names, in the order that prepare() takes them
  std::vector<Tensor> weights;
  Tensor output;               // PyTorch's, computed in float64 and rounded to float32
  std::int64_t reduction = 1;  // values summed for one output value: scales the tolerance
};

// Cases of single layers (the composed squeeze-excite is not among them). Throws when the file cannot be read.
const std::vector<LayerCase>& layer_cases();

// Squeeze-excite as timm composes it; `values.layer` is not used.
struct SqueezeExciteCase {
  LayerCase values;
  std::int64_t reduced_channels = 0;
  ActivationKind inner = ActivationKind::kRelu;
};
const std::vector<SqueezeExciteCase>& squeeze_excite_cases();

}  // namespace tessera
