#pragma once
// y = x * gate:  x [N, H, W, C], gate [N, 1, 1, C] -> y like x. The last step of squeeze-excite.

#include "layers/layer_interface.h"

namespace tessera {

struct Multiply {
  static constexpr std::string_view kName = "Multiply";
  static constexpr bool kMayOverwriteInput = true;
  static void fields(auto&, auto&&) {}
  bool operator==(const Multiply&) const = default;

  static Lesson lesson() { return {"y = x gate, a gate for each channel", "Hu et al. 2017, arXiv:1709.01507"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Multiply> examples();
  static Example<Multiply> drawn(Draw& draw);
};

}  // namespace tessera
