#include "layers/activation.h"
#include "layers/example.h"

namespace tessera {

Examples<Activation> Activation::examples() {
  Examples<Activation> examples{.good = {}, .refused = {{{}, {}, "one input"}}};
  for (const ActivationKind kind : all_values<ActivationKind>()) examples.good.push_back({{kind}, {{2, 13, 11, 24}}});
  return examples;
}

Example<Activation> Activation::drawn(Draw& draw) {
  return {{draw.one_of<ActivationKind>()}, {draw.pixels(draw.between(1, 100))}};
}

}  // namespace tessera
