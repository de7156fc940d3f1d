#pragma once
// State-dict names of other libraries -> timm's, which tessera uses everywhere. Which names there are is said by the
// families (models/family.h, Naming). Queries, keys and values that stand apart become one blocks.N.attn.qkv. Counters
// and what inference does not need are dropped.

#include <functional>
#include <string>

#include "models/family.h"

namespace tessera {

// Consumes `weights`; calls `note` with the parts that were left out. Throws ModelFileError listing q, k or v tensors
// that lack their partners.
RenamedWeights rename_to_timm(WeightStore weights, const Note& note = {});

}  // namespace tessera
