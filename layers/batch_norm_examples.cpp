#include "layers/batch_norm.h"
#include "layers/example.h"

namespace tessera {

Examples<BatchNorm> BatchNorm::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}}}, {{.epsilon = 1e-3F}, {{1, 7, 5, 3}}}},
          .refused = {{{}, {{4}}, "[N, ..., C]"}}};
}

Example<BatchNorm> BatchNorm::drawn(Draw& draw) {
  return {{.epsilon = draw.coin() ? 1e-5F : 1e-3F}, {draw.pixels(draw.between(1, 100))}};
}

}  // namespace tessera
