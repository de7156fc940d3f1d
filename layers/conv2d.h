#pragma once
// Two-dimensional convolution (cross-correlation), as torch.nn.Conv2d:
//
//   y[n, oy, ox, o] = act(bias[o] + residual[n, oy, ox, o]
//                         + sum over ky, kx, i of x[n, oy*stride + ky*dilation - pad, ..., i] * w[o, i, ky, kx])
//
// x [N, H, W, C], weight [O, C / groups, KH, KW], bias [O], residual like y  ->  y [N, OH, OW, O]
// OH = (H + pad_top + pad_bottom - dilation * (KH - 1) - 1) / stride + 1.
// Padding "same" is TensorFlow's: OH = ceil(H / stride), and the odd row of padding is at the bottom.
// groups == C is a depthwise convolution.

#include <optional>

#include "layers/activation.h"
#include "layers/layer_interface.h"

namespace tessera {

struct Conv2d {
  static constexpr std::string_view kName = "Conv2d";
  std::int64_t out_channels = 0;
  Size2 kernel = 1;
  Size2 stride = 1;
  Size2 padding = 0;
  bool padding_same = false;  // TensorFlow's; `padding` is then not used
  Size2 dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;

  // Set by passes: what is added and applied before the store, and a batch norm (its epsilon) that prepare()
  // multiplies into the weights. The norm's four tensors then follow the layer's own.
  bool residual = false;
  ActivationKind activation = ActivationKind::kNone;
  std::optional<float> folded_batch_norm = std::nullopt;

  static void fields(auto& self, auto&& visit) {
    visit(said("out_channels", "{}"), self.out_channels);
    visit(said("kernel", "kernel {}"), self.kernel);
    visit(said_unless_usual("stride", "stride {}"), self.stride);
    visit(said_unless_usual("padding_same", "padding same"), self.padding_same);
    visit(self.padding_same ? unsaid("padding") : said_unless_usual("padding", "padding {}"), self.padding);
    visit(said_unless_usual("dilation", "dilation {}"), self.dilation);
    visit(said_unless_usual("groups", "groups {}"), self.groups);
    visit(unsaid("bias"), self.bias);
    visit(set_by_pass("folded_batch_norm", "batch norm folded"), self.folded_batch_norm);
    visit(set_by_pass("residual", "+ residual"), self.residual);
    visit(set_by_pass("activation", "{}"), self.activation);
  }
  bool operator==(const Conv2d&) const = default;

  static Lesson lesson() {
    return {
        "y[oy, ox, o] = bias[o] + Σ over ky, kx, i of x[stride oy + ky - pad, stride ox + kx - pad, i] weight[o, i, "
        "ky, kx]",
        "LeCun et al. 1989, doi:10.1162/neco.1989.1.4.541; torch.nn.Conv2d"};
  }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t macs(Shapes in, const Shape& out) const;
  // weight [O, KH, KW, C / groups] (depthwise: [KH, KW, C]) and bias [O], if any.
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  std::int64_t scratch(Shapes in, int threads) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Conv2d> examples();
  static Example<Conv2d> drawn(Draw& draw);

  bool depthwise(const Shape& in) const { return groups > 1 && groups == in[3] && out_channels == groups; }
  // Rows of zeros above and columns to the left of the picture.
  Size2 leading_padding(const Shape& in) const;
};

// Multiplies y = gamma * (x - mean) / sqrt(variance + eps) + beta into a convolution's weight [O, ...] and bias.
// `tensors` is weight, bias (if has_bias), gamma, beta, mean, variance; the result weight, bias. In float64.
std::vector<Tensor> fold_batch_norm(std::vector<Tensor> tensors, bool has_bias, float epsilon);

}  // namespace tessera
