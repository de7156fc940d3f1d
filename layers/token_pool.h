#pragma once
// From tokens to one vector a picture: the class token, or the mean of the patch tokens.
//
// x [N, T, D] -> y [N, D].  kFirst: y = x[:, 0].  kMean: y = mean(x[:, skip:]), as timm's global_pool 'token' and
// 'avg'.

#include "layers/layer_interface.h"

namespace tessera {

enum class TokenPoolKind { kFirst, kMean };
constexpr auto enum_names(TokenPoolKind) { return std::to_array<std::string_view>({"first", "mean"}); }

struct TokenPool {
  static constexpr std::string_view kName = "TokenPool";
  TokenPoolKind kind = TokenPoolKind::kFirst;
  std::int64_t skip = 0;  // class and register tokens that the mean leaves out

  static void fields(auto& self, auto&& visit) {
    const bool first = self.kind == TokenPoolKind::kFirst;
    visit(first ? said("kind", "class token") : unsaid("kind"), self.kind);
    visit(first ? unsaid("skip") : said("skip", "mean of tokens from {}"), self.skip);
  }
  bool operator==(const TokenPool&) const = default;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::int64_t reduction(Shapes in) const { return kind == TokenPoolKind::kFirst ? 1 : in[0][1] - skip; }
  void forward(const ForwardArguments& arguments) const;
  static Examples<TokenPool> examples();
  static Example<TokenPool> drawn(Draw& draw);
};

}  // namespace tessera
