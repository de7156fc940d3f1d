#pragma once
// Layers that join tensors: sum, product, concatenation.

#include "layers/face.h"

namespace tessera {

// y = a + b, both of the same shape.
struct Add {
  static constexpr std::string_view kName = "Add";
  static constexpr bool kMayOverwriteInput = true;

  static Lesson lesson() { return {"y = a + b", "shortcuts: He et al. 2015, arXiv:1512.03385"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

// y = x * gate:  x [N, H, W, C], gate [N, 1, 1, C] -> y like x. The last step of squeeze-excite.
struct Multiply {
  static constexpr std::string_view kName = "Multiply";
  static constexpr bool kMayOverwriteInput = true;

  static Lesson lesson() { return {"y = x gate, a gate for each channel", "Hu et al. 2017, arXiv:1709.01507"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

// Joins tensors along the last dimension (channels, features): [N, ..., C1], [N, ..., C2] -> [N, ..., C1 + C2].
struct Concat {
  static constexpr std::string_view kName = "Concat";

  static Lesson lesson() { return {"y = (x₁, x₂, …), side by side in the channels", "torch.cat"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
