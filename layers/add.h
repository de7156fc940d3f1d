#pragma once
// y = a + b, both of the same shape.

#include "layers/layer_interface.h"

namespace tessera {

struct Add {
  static constexpr std::string_view kName = "Add";
  static constexpr bool kMayOverwriteInput = true;
  static void fields(auto&, auto&&) {}
  bool operator==(const Add&) const = default;

  static Lesson lesson() { return {"y = a + b", "shortcuts: He et al. 2015, arXiv:1512.03385"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Add> examples();
  static Example<Add> drawn(Draw& draw);
};

}  // namespace tessera
