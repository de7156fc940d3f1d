#include "layers/concat.h"
#include "layers/example.h"

namespace tessera {

Examples<Concat> Concat::examples() {
  return {.good = {{{}, {{2, 50, 96}, {2, 50, 32}}}, {{}, {{2, 5, 7, 12}, {2, 5, 7, 3}, {2, 5, 7, 20}}}},
          .refused = {{{}, {{1, 4, 4}, {1, 5, 4}}, "last dimension only"},
                      {{}, {{1, 4, 4}, {1, 4}}, "last dimension only"},
                      {{}, {}, "at least one input"}}};
}

Example<Concat> Concat::drawn(Draw& draw) {
  std::vector<Shape> in{draw.tokens(draw.between(1, 60))};
  for (std::int64_t more = draw.between(1, 4); more > 0; --more) {
    in.push_back(in[0]);
    in.back()[-1] = draw.between(1, 60);
  }
  return {{}, in};
}

}  // namespace tessera
