#include "layers/example.h"
#include "layers/token_embed.h"

namespace tessera {

Examples<TokenEmbed> TokenEmbed::examples() {
  return {.good = {{{.stored_grid = 4, .grid = 4}, {{2, 16, 96}}},
                   {{.registers = 4, .position_covers_class = false, .stored_grid = 6, .grid = 4}, {{2, 16, 96}}},
                   {{.class_token = false, .position_covers_class = false, .stored_grid = {3, 5}, .grid = {3, 5}},
                    {{1, 15, 20}}}},
          .refused = {{{.grid = 3}, {{1, 8, 4}}, "expects 3 patches"},
                      {{.class_token = false, .grid = 2}, {{1, 4, 4}}, "class token that is not there"}}};
}

Example<TokenEmbed> TokenEmbed::drawn(Draw& draw) {
  TokenEmbed embed{.class_token = draw.coin(), .registers = draw.between(0, 4)};
  embed.position_covers_class = embed.class_token && draw.coin();
  embed.grid = {draw.between(1, 7), draw.between(1, 7)};
  embed.stored_grid = draw.coin() ? embed.grid : Size2(draw.between(1, 7), draw.between(1, 7));
  embed.antialias = draw.coin();
  return {embed, {{draw.between(1, 3), embed.grid.height * embed.grid.width, draw.between(1, 100)}}};
}

}  // namespace tessera
