#pragma once
// Puts the class token and register tokens before the patch tokens and adds position embeddings
// (Dosovitskiy et al. 2020, eq. 1; registers: Darcet et al. 2023, arXiv:2309.16588), as timm's _pos_embed:
//
//   position_covers_class:       y = concat(cls, x) + pos, registers (without position) between the two
//   not position_covers_class:   y = concat(cls, registers, x + pos)
//
// x [N, T, D]; cls_token [1, 1, D], reg_token [1, R, D], pos_embed [1, (1 +) GH * GW, D]  ->  y [N, 1 + R + T, D].
// When the stored grid GH x GW is not the picture's, the patch part of pos_embed is resized once, at load, by bicubic
// interpolation as timm's resample_abs_pos_embed does (antialias: PyTorch's filter with a = -0.5 and support scaled by
// the reduction; otherwise a = -0.75, as Hugging Face's Dinov2).

#include "layers/layer_interface.h"

namespace tessera {

struct TokenEmbed {
  static constexpr std::string_view kName = "TokenEmbed";
  bool class_token = true;
  std::int64_t registers = 0;
  bool position_covers_class = true;
  Size2 stored_grid = 1;  // rows and columns of patches that pos_embed was trained for
  Size2 grid = 1;         // those of the picture
  bool antialias = true;

  static void fields(auto& self, auto&& visit) {
    visit(said("class_token", self.class_token ? "class token" : "no class token"), self.class_token);
    visit(said_unless_usual("registers", "{} registers"), self.registers);
    visit(unsaid("position_covers_class"), self.position_covers_class);
    visit(said("grid", "grid {}"), self.grid);
    const bool resized = self.stored_grid != self.grid;
    visit(resized ? said("stored_grid", " (resized from {})") : unsaid("stored_grid"), self.stored_grid);
    visit(unsaid("antialias"), self.antialias);
  }
  bool operator==(const TokenEmbed&) const = default;

  std::int64_t prefix_tokens() const { return (class_token ? 1 : 0) + registers; }
  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  // prefix [1 + R, D], with positions added where they cover the class token, and positions [T, D].
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<TokenEmbed> examples();
  static Example<TokenEmbed> drawn(Draw& draw);
};

// Bicubic resize of embeddings [FH * FW, D] to [TH * TW, D], pixel centres aligned as with align_corners = false.
Tensor resize_positions(ConstView positions, Size2 from, Size2 to, bool antialias);

}  // namespace tessera
