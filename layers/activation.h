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

#include "layers/face.h"

namespace tessera {

enum class ActivationKind { kNone, kRelu, kRelu6, kSilu, kHardSwish, kGelu, kSigmoid };

std::string_view to_string(ActivationKind kind);
// Throws UsageError listing the known names.
ActivationKind activation_from_string(std::string_view name);

// Applies the function in place; also the epilogue of Conv2d and Linear.
void activate(ActivationKind kind, std::span<float> values);

struct Activation {
  static constexpr std::string_view kName = "Activation";
  static constexpr bool kMayOverwriteInput = true;
  ActivationKind kind = ActivationKind::kRelu;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::string attributes() const { return std::string(to_string(kind)); }
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
