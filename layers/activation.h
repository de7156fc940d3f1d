#pragma once
// y = f(x), element by element. [any] -> [same].
//
//   ReLU        max(x, 0)
//   ReLU6       min(max(x, 0), 6)
//   SiLU        x * sigmoid(x)
//   hard-swish  x * min(max(x + 3, 0), 6) / 6          (Howard et al. 2019, arXiv:1905.02244)
//   GELU        x * (1 + erf(x / sqrt(2))) / 2         (Hendrycks and Gimpel 2016, arXiv:1606.08415; exact form)
//   sigmoid     1 / (1 + exp(-x))
// Each as torch.nn.functional names it.

#include <string_view>

#include "layers/layer_interface.h"

namespace tessera {

enum class ActivationKind { kNone, kRelu, kRelu6, kSilu, kHardSwish, kGelu, kSigmoid };
constexpr auto enum_names(ActivationKind) {
  return std::to_array<std::string_view>({"none", "relu", "relu6", "silu", "hard_swish", "gelu", "sigmoid"});
}

// Applies the function in place; also the epilogue of Conv2d and Linear.
void activate(ActivationKind kind, std::span<float> values);

struct Activation {
  static constexpr std::string_view kName = "Activation";
  static constexpr bool kMayOverwriteInput = true;
  ActivationKind kind = ActivationKind::kRelu;

  static void fields(auto& self, auto&& visit) { visit(said("kind", "{}"), self.kind); }
  bool operator==(const Activation&) const = default;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Activation> examples();
  static Example<Activation> drawn(Draw& draw);
};

}  // namespace tessera
