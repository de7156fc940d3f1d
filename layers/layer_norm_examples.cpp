#include "layers/example.h"
#include "layers/layer_norm.h"

namespace tessera {

Examples<LayerNorm> LayerNorm::examples() {
  return {.good = {{{}, {{2, 50, 96}}}, {{.epsilon = 1e-5F}, {{2, 7, 7, 40}}}},
          .refused = {{{}, {{4}}, "[N, ..., C]"}}};
}

Example<LayerNorm> LayerNorm::drawn(Draw& draw) {
  const float epsilon = draw.coin() ? 1e-6F : 1e-5F;
  const std::int64_t channels = draw.between(1, 100);
  return {{.epsilon = epsilon}, {draw.coin() ? draw.pixels(channels) : draw.tokens(channels)}};
}

}  // namespace tessera
