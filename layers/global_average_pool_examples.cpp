#include "layers/example.h"
#include "layers/global_average_pool.h"

namespace tessera {

Examples<GlobalAveragePool> GlobalAveragePool::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}}}, {{.keep_dimensions = true}, {{2, 13, 11, 24}}}},
          .refused = {{{}, {{1, 8}}, "rank 4"}, {{}, {{1, 0, 4, 3}}, "at least one pixel"}}};
}

Example<GlobalAveragePool> GlobalAveragePool::drawn(Draw& draw) {
  return {{.keep_dimensions = draw.coin()}, {draw.pixels(draw.between(1, 100))}};
}

}  // namespace tessera
