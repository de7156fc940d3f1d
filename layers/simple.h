#pragma once
// Small layers of one input: flatten, layer scale, dropout.

#include "layers/face.h"

namespace tessera {

// [N, H, W, C] -> [N, C * H * W] in PyTorch's order (channels outermost), so that a Linear layer behind it takes the
// reference's weights. Other ranks keep their order.
struct Flatten {
  static constexpr std::string_view kName = "Flatten";

  static Lesson lesson() { return {"y[c H W + h W + w] = x[h, w, c]", "torch.flatten"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

// y = gamma * x per channel (Touvron et al. 2021, arXiv:2103.17239). [N, ..., C] -> same; gamma [C].
struct LayerScale {
  static constexpr std::string_view kName = "LayerScale";
  static constexpr bool kMayOverwriteInput = true;

  static Lesson lesson() { return {"y = gamma x, per channel", "Touvron et al. 2021, arXiv:2103.17239"}; }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

// Nothing at inference; there so that a graph reads as the paper and `pos_drop` can be tapped.
struct Dropout {
  static constexpr std::string_view kName = "Dropout";
  static constexpr bool kMayOverwriteInput = true;

  static Lesson lesson() {
    return {"y = x at inference", "Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html"};
  }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
