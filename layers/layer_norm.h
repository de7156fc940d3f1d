#pragma once
// Layer normalisation over the last dimension, as torch.nn.LayerNorm (Ba et al. 2016, arXiv:1607.06450):
//
//   y = weight * (x - mean(x)) / sqrt(variance(x) + epsilon) + bias          variance is the biased one
//
// x [N, ..., C] -> y like x; weight and bias [C].

#include "layers/layer_interface.h"

namespace tessera {

struct LayerNorm {
  static constexpr std::string_view kName = "LayerNorm";
  static constexpr bool kMayOverwriteInput = true;
  float epsilon = 1e-6F;

  static void fields(auto& self, auto&& visit) { visit(said("epsilon", "epsilon {}"), self.epsilon); }
  bool operator==(const LayerNorm&) const = default;

  static Lesson lesson() {
    return {"y = weight (x - mean(x)) / sqrt(variance(x) + epsilon) + bias, over the channels of a token",
            "Ba et al. 2016, arXiv:1607.06450"};
  }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t norm_operations(Shapes, const Shape& out) const { return 5 * out.count(); }
  std::int64_t reduction(Shapes in) const { return in[0][-1]; }
  void forward(const ForwardArguments& arguments) const;
  static Examples<LayerNorm> examples();
  static Example<LayerNorm> drawn(Draw& draw);
};

}  // namespace tessera
