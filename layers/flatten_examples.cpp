#include "layers/example.h"
#include "layers/flatten.h"

namespace tessera {

Examples<Flatten> Flatten::examples() {
  return {.good = {{{}, {{2, 13, 11, 24}}}, {{}, {{2, 17, 24}}}}, .refused = {{{}, {{4}}, "[N, ...]"}}};
}

Example<Flatten> Flatten::drawn(Draw& draw) {
  const std::int64_t channels = draw.between(1, 100);
  return {{}, {draw.coin() ? draw.pixels(channels) : draw.tokens(channels)}};
}

}  // namespace tessera
