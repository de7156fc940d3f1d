#pragma once
// y = gamma * x per channel (Touvron et al. 2021, arXiv:2103.17239). [N, ..., C] -> same; gamma [C].

#include "layers/layer_interface.h"

namespace tessera {

struct LayerScale {
  static constexpr std::string_view kName = "LayerScale";
  static constexpr bool kMayOverwriteInput = true;
  static void fields(auto&, auto&&) {}
  bool operator==(const LayerScale&) const = default;

  static Lesson lesson() { return {"y = gamma x, per channel", "Touvron et al. 2021, arXiv:2103.17239"}; }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<LayerScale> examples();
  static Example<LayerScale> drawn(Draw& draw);
};

}  // namespace tessera
