#include "layers/example.h"
#include "layers/layer_scale.h"

namespace tessera {

Examples<LayerScale> LayerScale::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}}}, {{}, {{2, 50, 96}}}}, .refused = {{{}, {{4}}, "[N, ..., C]"}}};
}

Example<LayerScale> LayerScale::drawn(Draw& draw) { return {{}, {draw.tokens(draw.between(1, 100))}}; }

}  // namespace tessera
