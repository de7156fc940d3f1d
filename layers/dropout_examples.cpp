#include "layers/dropout.h"
#include "layers/example.h"

namespace tessera {

Examples<Dropout> Dropout::examples() { return {.good = {{{}, {{2, 50, 96}}}}, .refused = {{{}, {}, "one input"}}}; }

Example<Dropout> Dropout::drawn(Draw& draw) { return {{}, {draw.tokens(draw.between(1, 100))}}; }

}  // namespace tessera
