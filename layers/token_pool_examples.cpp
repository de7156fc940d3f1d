#include "layers/example.h"
#include "layers/token_pool.h"

namespace tessera {

Examples<TokenPool> TokenPool::examples() {
  return {.good = {{{}, {{2, 50, 96}}}, {{.kind = TokenPoolKind::kMean, .skip = 1}, {{2, 50, 96}}}},
          .refused = {{{.kind = TokenPoolKind::kMean, .skip = 4}, {{1, 4, 8}}, "no tokens are left"},
                      {{.kind = TokenPoolKind::kMean, .skip = -1}, {{1, 4, 8}}, "no tokens are left"}}};
}

Example<TokenPool> TokenPool::drawn(Draw& draw) {
  const Shape x = draw.tokens(draw.between(1, 100));
  return {{.kind = draw.one_of<TokenPoolKind>(), .skip = draw.between(0, x[1] - 1)}, {x}};
}

}  // namespace tessera
