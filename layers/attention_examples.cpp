#include "layers/attention.h"
#include "layers/example.h"

namespace tessera {

Examples<Attention> Attention::examples() {
  return {.good = {{{.heads = 3}, {{2, 50, 288}}},
                   {{.heads = 1}, {{3, 17, 192}}},  // more pictures than heads
                   {{.heads = 3}, {{2, 4, 16, 72}}},
                   {{.heads = 3, .bias = true}, {{2, 49, 96 * 3}}},
                   {{.heads = 3, .bias = true, .mask = true}, {{2, 4, 49, 96 * 3}}},
                   {{.heads = 2, .bias = true, .cosine = true}, {{2, 4, 16, 96}}},
                   {{.heads = 4, .causal = true}, {{2, 77, 96}}}},
          .refused = {{{.heads = 5}, {{1, 2, 48}}, "5 heads"},
                      {{.heads = 0}, {{1, 2, 48}}, "0 heads"},
                      {{.heads = 3}, {{1, 2, 2, 3, 9}}, "[N, W, T, 3C]"},
                      {{.heads = 3}, {{2, 9}}, "[N, W, T, 3C]"},
                      {{.heads = 3}, {{1, 2, 9}, {1, 2, 9}}, "one input"}}};
}

Example<Attention> Attention::drawn(Draw& draw) {
  const std::int64_t heads = draw.between(1, 5), width = draw.between(1, 70);
  Attention attention{.heads = heads};
  Shape x = draw.tokens(3 * heads * width);
  if (draw.coin()) return {attention, {x}};
  attention.bias = draw.coin();
  attention.mask = draw.coin();
  attention.cosine = draw.coin();
  attention.causal = draw.coin();
  if (draw.coin()) x = {x[0], draw.between(1, 4), x[1], x[2]};
  return {attention, {x}};
}

}  // namespace tessera
