#pragma once
// Refuses networks whose tensors show that tessera does not have them. Private to weights/.

#include "engine/weight_store.h"

namespace tessera {

// Under timm's names. Throws ModelFileError naming the kind of network and a tensor that shows it.
void refuse_unsupported_tensors(const WeightStore& weights);

}  // namespace tessera
