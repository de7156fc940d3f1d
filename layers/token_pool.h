#pragma once
// From tokens to one vector a picture: the class token, or the mean of the patch tokens.
//
// x [N, T, D] -> y [N, D].  kFirst: y = x[:, 0].  kMean: y = mean(x[:, skip:]), as timm's global_pool 'token' and
// 'avg'.

#include "layers/face.h"

namespace tessera {

enum class TokenPoolKind { kFirst, kMean };

struct TokenPool {
  static constexpr std::string_view kName = "TokenPool";
  TokenPoolKind kind = TokenPoolKind::kFirst;
  std::int64_t skip = 0;  // class and register tokens that the mean leaves out

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::string attributes() const;
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
