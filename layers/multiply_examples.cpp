#include "layers/example.h"
#include "layers/multiply.h"

namespace tessera {

Examples<Multiply> Multiply::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}, {2, 1, 1, 24}}}},
          .refused = {{{}, {{1, 4, 4, 2}, {1, 1, 1, 3}}, "gate [N, 1, 1, C]"},
                      {{}, {{1, 4, 4, 2}, {1, 2}}, "rank 4"},
                      {{}, {{1, 4, 4, 2}}, "2 input(s)"}}};
}

Example<Multiply> Multiply::drawn(Draw& draw) {
  const Shape x = draw.pixels(draw.between(1, 100));
  return {{}, {x, {x[0], 1, 1, x[3]}}};
}

}  // namespace tessera
