#include "layers/add.h"
#include "layers/example.h"

namespace tessera {

Examples<Add> Add::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}, {2, 13, 11, 24}}}, {{}, {{3, 50, 96}, {3, 50, 96}}}},
          .refused = {{{}, {{1, 4}, {1, 5}}, "same shape"}, {{}, {{1, 4}}, "two inputs"}}};
}

Example<Add> Add::drawn(Draw& draw) {
  const Shape shape = draw.pixels(draw.between(1, 100));
  return {{}, {shape, shape}};
}

}  // namespace tessera
