#pragma once
// Fully connected layer, as torch.nn.Linear:  y = act(x * weight^T + bias + residual).
//
// x [N, ..., C], weight [O, C], bias [O], residual like y  ->  y [N, ..., O].

#include "layers/activation.h"
#include "layers/face.h"

namespace tessera {

struct Linear {
  static constexpr std::string_view kName = "Linear";
  std::int64_t out_features = 0;
  bool bias = true;

  // Set by passes. A folded layer scale multiplies the rows of weight and bias; its gamma follows the layer's tensors.
  bool residual = false;
  ActivationKind activation = ActivationKind::kNone;
  bool folded_layer_scale = false;

  static Lesson lesson() { return {"y = x weightᵀ + bias", "Rosenblatt 1958, doi:10.1037/h0042519; torch.nn.Linear"}; }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::string attributes() const;
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
