#pragma once
// Activation functions as layers/activation.h defines them; GELU is the exact one.

#include <cmath>

#include "cuda/kernels/values.h"

namespace tessera::cuda {

__device__ inline float activate(TesseraActivation kind, float x) {
  switch (kind) {
    case TESSERA_RELU:
      return x < 0.0F ? 0.0F : x;  // a NaN stays one
    case TESSERA_RELU6:
      return x < 0.0F ? 0.0F : (x > 6.0F ? 6.0F : x);
    case TESSERA_SILU:
      return x / (1.0F + expf(-x));
    case TESSERA_HARD_SWISH: {
      const float gate = x + 3.0F;
      return x * (gate < 0.0F ? 0.0F : (gate > 6.0F ? 6.0F : gate)) / 6.0F;
    }
    case TESSERA_GELU:
      return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case TESSERA_SIGMOID:
      return 1.0F / (1.0F + expf(-x));
    default:
      return x;
  }
}

}  // namespace tessera::cuda
