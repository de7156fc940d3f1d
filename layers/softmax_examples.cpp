#include "layers/example.h"
#include "layers/softmax.h"

namespace tessera {

Examples<Softmax> Softmax::examples() {
  return {.good = {{{}, {{2, 50, 96}}}, {{}, {{3, 1000}}}}, .refused = {{{}, {}, "one input"}}};
}

Example<Softmax> Softmax::drawn(Draw& draw) { return {{}, {draw.pixels(draw.between(1, 100))}}; }

}  // namespace tessera
