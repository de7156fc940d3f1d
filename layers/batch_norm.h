#pragma once
// Batch normalisation at inference, as torch.nn.BatchNorm2d in eval mode (Ioffe and Szegedy 2015, arXiv:1502.03167):
//
//   y = weight * (x - running_mean) / sqrt(running_var + epsilon) + bias          per channel
//
// x [N, ..., C] -> y like x; each tensor [C].

#include "layers/layer_interface.h"

namespace tessera {

struct BatchNorm {
  static constexpr std::string_view kName = "BatchNorm";
  static constexpr bool kMayOverwriteInput = true;
  float epsilon = 1e-5F;

  static void fields(auto& self, auto&& visit) { visit(said("epsilon", "epsilon {}"), self.epsilon); }
  bool operator==(const BatchNorm&) const = default;

  static Lesson lesson() {
    return {"y = weight (x - running_mean) / sqrt(running_var + epsilon) + bias, per channel",
            "Ioffe and Szegedy 2015, arXiv:1502.03167"};
  }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;  // weight, bias, running_mean, running_var
  std::int64_t norm_operations(Shapes, const Shape& out) const { return 2 * out.count(); }
  // scale [C] and shift [C], computed in float64.
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<BatchNorm> examples();
  static Example<BatchNorm> drawn(Draw& draw);
};

}  // namespace tessera
