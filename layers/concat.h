#pragma once
// Joins tensors along the last dimension (channels, features): [N, ..., C1], [N, ..., C2] -> [N, ..., C1 + C2].

#include "layers/layer_interface.h"

namespace tessera {

struct Concat {
  static constexpr std::string_view kName = "Concat";
  static void fields(auto&, auto&&) {}
  bool operator==(const Concat&) const = default;

  static Lesson lesson() { return {"y = (x₁, x₂, …), side by side in the channels", "torch.cat"}; }
  Shape output_shape(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Concat> examples();
  static Example<Concat> drawn(Draw& draw);
};

}  // namespace tessera
