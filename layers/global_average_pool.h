#pragma once
// The mean over all pixels, as torch.nn.AdaptiveAvgPool2d(1) (Lin et al. 2013, arXiv:1312.4400).
//
// x [N, H, W, C] -> y [N, C] (keep_dimensions: [N, 1, 1, C]).

#include "layers/layer_interface.h"

namespace tessera {

struct GlobalAveragePool {
  static constexpr std::string_view kName = "GlobalAveragePool";
  bool keep_dimensions = false;

  static void fields(auto& self, auto&& visit) { visit(unsaid("keep_dimensions"), self.keep_dimensions); }
  bool operator==(const GlobalAveragePool&) const = default;

  static Lesson lesson() { return {"y[c] = mean of x[:, :, c] over all pixels", "Lin et al. 2013, arXiv:1312.4400"}; }
  Shape output_shape(Shapes in) const;
  std::int64_t norm_operations(Shapes in, const Shape&) const { return in[0].count(); }
  std::int64_t reduction(Shapes in) const { return in[0][1] * in[0][2]; }
  void forward(const ForwardArguments& arguments) const;
  static Examples<GlobalAveragePool> examples();
  static Example<GlobalAveragePool> drawn(Draw& draw);
};

}  // namespace tessera
