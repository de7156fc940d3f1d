#pragma once
// Multi-head self-attention on packed queries, keys and values (Vaswani et al. 2017, arXiv:1706.03762, eq. 1):
//
//   head h:  softmax(Q_h * K_h^T / sqrt(D)) * V_h          D = C / heads
//
// x [N, T, 3C], in each token q (C), k (C), v (C), each cut into heads of D  ->  y [N, T, C], heads side by side.
// The projections before and after are Linear layers of their own, as in timm (attn.qkv, attn.proj).

#include "layers/face.h"

namespace tessera {

struct Attention {
  static constexpr std::string_view kName = "Attention";
  std::int64_t heads = 1;

  static Lesson lesson() {
    return {"each head h: softmax(Q_h K_hᵀ / sqrt(D)) V_h, D = C / heads",
            "Vaswani et al. 2017, arXiv:1706.03762, eq. 1"};
  }
  Shape output_shape(Shapes in) const;
  // Both products, Q * K^T and the weights times V: 2 * T * T * C a picture.
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::string attributes() const { return std::to_string(heads) + " heads"; }
  std::int64_t scratch(Shapes in, int threads) const;
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
