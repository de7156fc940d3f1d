#pragma once
// [N, H, W, C] -> [N, C * H * W] in PyTorch's order (channels outermost), so that a Linear layer behind it takes the
// reference's weights. Other ranks keep their order.

#include "layers/layer_interface.h"

namespace tessera {

struct Flatten {
  static constexpr std::string_view kName = "Flatten";
  static void fields(auto&, auto&&) {}
  bool operator==(const Flatten&) const = default;

  static Lesson lesson() { return {"y[c H W + h W + w] = x[h, w, c]", "torch.flatten"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Flatten> examples();
  static Example<Flatten> drawn(Draw& draw);
};

}  // namespace tessera
