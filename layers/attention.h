#pragma once
// Multi-head self-attention on packed queries, keys and values (Vaswani et al. 2017, arXiv:1706.03762, eq. 1):
//
//   head h:  softmax(Q_h * K_h^T / sqrt(D) + bias_h + mask) * V_h          D = C / heads
//
// x [N, T, 3C], in each token q (C), k (C), v (C), each cut into heads of D  ->  y [N, T, C], heads side by side;
// or x [N, W, T, 3C] -> y [N, W, T, C]: W windows a picture, each of which attends to itself alone.
// The projections before and after are Linear layers of their own, as in timm (attn.qkv, attn.proj); biases of q, k and
// v are parts of the first one's.
//
//   bias     bias [heads, T, T] is added to the scores: a table of relative positions, gathered (Liu et al. 2021,
//            arXiv:2103.14030, eq. 4)
//   mask     mask [W, T, T] is added to the scores of window w (W = 1 where x has no windows): -100 between tokens that
//            are no neighbours, as in Swin's shifted windows
//   cosine   in place of Q K^T / sqrt(D): cos(q, k) * exp(min(logit_scale_h, log(100))), logit_scale [heads, 1, 1]
//            (Liu et al. 2022, arXiv:2111.09883, eq. 2)
//   causal   a token attends to itself and to those before it

#include "layers/layer_interface.h"

namespace tessera {

struct Attention {
  static constexpr std::string_view kName = "Attention";
  std::int64_t heads = 1;
  bool bias = false;
  bool mask = false;
  bool cosine = false;
  bool causal = false;

  static void fields(auto& self, auto&& visit) {
    visit(said("heads", "{} heads"), self.heads);
    visit(said_unless_usual("bias", "+ bias"), self.bias);
    visit(said_unless_usual("mask", "+ mask"), self.mask);
    visit(said_unless_usual("cosine", "cosine"), self.cosine);
    visit(said_unless_usual("causal", "causal"), self.causal);
  }
  bool operator==(const Attention&) const = default;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;  // bias, mask, logit_scale: those that there are
  // logit_scale [heads] becomes the factor of the scores.
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  // Both products, Q * K^T and the weights times V: 2 * T * T * C a window.
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::int64_t reduction(Shapes in) const { return in[0][-2] + in[0][-1] / (3 * heads); }
  std::int64_t scratch(Shapes in, int threads) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<Attention> examples();
  static Example<Attention> drawn(Draw& draw);
};

// What is done to the scores q * k^T of one head of one window before their softmax.
struct ScoreTerms {
  float factor = 1;             // 1 / sqrt(D), or what logit_scale says
  const float* bias = nullptr;  // [T, T]; null: none
  const float* mask = nullptr;  // [T, T]; null: none
};
// Of prepared weights.
ScoreTerms score_terms(const Attention& layer, std::span<const Tensor> weights, std::int64_t head_width,
                       std::int64_t tokens, std::int64_t window, std::int64_t head);
// 1 / |row|, as torch.nn.functional.normalize has it.
float inverse_length(std::span<const float> row);

}  // namespace tessera
