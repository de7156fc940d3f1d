#pragma once
// The functions that layers may end with. kernels/activation.h has what they compute.

#include <string_view>

namespace tessera::cuda {

enum class Activation { kNone, kRelu, kRelu6, kSilu, kHardSwish, kGelu, kSigmoid };

// By the name that layers/activation.h gives it. Throws for one that the kernels do not have.
Activation activation_of(std::string_view name);

}  // namespace tessera::cuda
