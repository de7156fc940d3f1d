#pragma once
// Patch embedding of a Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1):
// cut the picture into P x P patches and map each to a token, as a convolution of kernel P and stride P does.
//
// x [N, H, W, C], weight [D, C, P, P], bias [D]  ->  y [N, (H / P) * (W / P), D]; rows of patches from top left.
// As timm and Hugging Face, pixels beyond the last whole patch are an error.

#include "layers/conv2d.h"
#include "layers/layer_interface.h"

namespace tessera {

struct PatchEmbed {
  static constexpr std::string_view kName = "PatchEmbed";
  std::int64_t patch = 16;
  std::int64_t width = 0;  // D
  bool bias = true;

  static void fields(auto& self, auto&& visit) {
    visit(said("width", "{}"), self.width);
    visit(said("patch", "patch {}"), self.patch);
    visit(unsaid("bias"), self.bias);
  }
  bool operator==(const PatchEmbed&) const = default;

  // The layer: tokens [N, T, D] and pixels [N, H / P, W / P, D] lie alike in memory.
  Conv2d convolution() const;
  static Lesson lesson() {
    return {"token[i] = weight · patch[i] + bias, each patch of P × P pixels flattened",
            "Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1"};
  }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  std::int64_t scratch(Shapes in, int threads) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<PatchEmbed> examples();
  static Example<PatchEmbed> drawn(Draw& draw);
};

}  // namespace tessera
