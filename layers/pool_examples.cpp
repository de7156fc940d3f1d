#include "layers/example.h"
#include "layers/pool.h"

namespace tessera {

Examples<Pool2d> Pool2d::examples() {
  const Shape x{2, 13, 11, 24};
  return {
      .good = {{{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .padding = 1}, {x}},
               {{.kind = PoolKind::kAverage, .kernel = 3, .stride = 2, .padding = 1}, {x}},
               {{.kind = PoolKind::kAverage, .kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}, {x}},
               {{.kind = PoolKind::kAverage, .ceil_mode = true}, {x}}},
      .refused = {{{.kernel = 3, .padding = 2}, {{1, 8, 8, 1}}, "padding of at most half"},
                  {{.kernel = 9}, {{1, 8, 8, 1}}, "fits into"},
                  {{.stride = 0}, {{1, 8, 8, 1}}, "at least 1"},
                  {{}, {{1, 8, 8}}, "rank 4"}}};
}

Example<Pool2d> Pool2d::drawn(Draw& draw) {
  Pool2d pool{.kind = draw.one_of<PoolKind>()};
  pool.kernel = {draw.between(2, 4), draw.between(2, 4)};
  pool.stride = {draw.between(1, 3), draw.between(1, 3)};
  pool.padding = draw.between(0, 1);
  pool.ceil_mode = draw.coin();
  pool.count_include_pad = draw.coin();
  return {pool, {draw.pixels(draw.between(1, 100))}};
}

}  // namespace tessera
