#pragma once
// The examples of all layers, as the variant that graphs hold.

#include "layers/example.h"
#include "layers/layer.h"

namespace tessera {

using LayerExample = Example<Layer>;
using LayerRefusal = Refusal<Layer>;

const std::vector<LayerExample>& good_examples();
const std::vector<LayerRefusal>& refused_examples();

// A layer of the type at `kind` in the list.
LayerExample draw_layer(std::size_t kind, Draw& draw);

// Random values for the inputs and the weights of a layer.
std::vector<Tensor> draw_inputs(const std::vector<Shape>& in, Draw& draw, double bound = 1);
std::vector<Tensor> draw_weights(const Layer& layer, Shapes in, Draw& draw);

}  // namespace tessera
