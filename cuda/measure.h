#pragma once

#include <vector>

#include "cuda/prepared.h"

namespace tessera::cuda {

// The candidate that takes the least time on the device, inputs being zeros. One that fails is left out.
Kernel fastest(TesseraDevice& device, const TesseraRequest& request, std::vector<Kernel> candidates);

}  // namespace tessera::cuda
