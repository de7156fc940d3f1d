#pragma once
// Fully connected layer, as torch.nn.Linear:  y = act(x * weight^T + bias + residual).
//
// x [N, ..., C], weight [O, C], bias [O], residual like y  ->  y [N, ..., O].

#include "layers/activation.h"
#include "layers/layer_interface.h"

namespace tessera {

struct Linear {
  static constexpr std::string_view kName = "Linear";
  std::int64_t out_features = 0;
  bool bias = true;

  // Set by passes. A folded layer scale multiplies the rows of weight and bias; its gamma follows the layer's tensors.
  bool residual = false;
  ActivationKind activation = ActivationKind::kNone;
  bool folded_layer_scale = false;

  static void fields(auto& self, auto&& visit) {
    visit(said("out_features", "{}"), self.out_features);
    visit(said_unless_usual("bias", "no bias"), self.bias);
    visit(set_by_pass("folded_layer_scale", "layer scale folded"), self.folded_layer_scale);
    visit(set_by_pass("residual", "+ residual"), self.residual);
    visit(set_by_pass("activation", "{}"), self.activation);
  }
  bool operator==(const Linear&) const = default;

  static Lesson lesson() { return {"y = x weightᵀ + bias", "Rosenblatt 1958, doi:10.1037/h0042519; torch.nn.Linear"}; }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Linear> examples();
  static Example<Linear> drawn(Draw& draw);
};

}  // namespace tessera
