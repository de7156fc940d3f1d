#pragma once
// Activation functions as layers/activation.h defines them; GELU is the exact one.

#include <cmath>

#include "cuda/activation.h"
#include "cuda/kernels/values.h"

namespace tessera::cuda {

__device__ inline float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::kRelu:
      return x < 0.0F ? 0.0F : x;  // a NaN stays one
    case Activation::kRelu6:
      return x < 0.0F ? 0.0F : (x > 6.0F ? 6.0F : x);
    case Activation::kSilu:
      return x / (1.0F + expf(-x));
    case Activation::kHardSwish: {
      const float gate = x + 3.0F;
      return x * (gate < 0.0F ? 0.0F : (gate > 6.0F ? 6.0F : gate)) / 6.0F;
    }
    case Activation::kGelu:
      return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case Activation::kSigmoid:
      return 1.0F / (1.0F + expf(-x));
    default:
      return x;
  }
}

}  // namespace tessera::cuda
