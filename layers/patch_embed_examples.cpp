#include "layers/example.h"
#include "layers/patch_embed.h"

namespace tessera {

Examples<PatchEmbed> PatchEmbed::examples() {
  return {.good = {{{.patch = 16, .width = 96}, {{2, 64, 64, 3}}},
                   {{.patch = 14, .width = 40, .bias = false}, {{1, 28, 42, 3}}}},
          .refused = {{{.patch = 16, .width = 8}, {{1, 17, 16, 3}}, "multiples of the patch"},
                      {{.patch = 16, .width = 8}, {{1, 16, 8, 3}}, "multiples of the patch"},
                      {{.patch = 0, .width = 8}, {{1, 16, 16, 3}}, "multiples of the patch"}}};
}

Example<PatchEmbed> PatchEmbed::drawn(Draw& draw) {
  const std::int64_t patch = draw.between(2, 17);
  const Shape picture{draw.between(1, 3), patch * draw.between(1, 4), patch * draw.between(1, 4), draw.between(1, 4)};
  return {{.patch = patch, .width = draw.between(1, 100), .bias = draw.coin()}, {picture}};
}

}  // namespace tessera
