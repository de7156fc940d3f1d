#include "models/modules.h"

namespace tessera {

Value squeeze_excite(const Scope& s, Value x, std::int64_t reduced, ActivationKind inner) {
  Value gate = emit(s / "squeeze", GlobalAveragePool{.keep_dimensions = true}, x);
  gate = conv2d(s / "fc1", gate, {.out_channels = reduced});
  gate = activation(s / "act", gate, inner);
  gate = conv2d(s / "fc2", gate, {.out_channels = x.shape()[3]});
  gate = activation(s / "gate", gate, ActivationKind::kSigmoid);
  return output_of(s, emit(s / "scale", Multiply{}, {x, gate}));
}

}  // namespace tessera
