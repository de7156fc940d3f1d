#pragma once
// How models say their layers: functions that emit into the graph under a scope.
//
//   Value y = conv2d(s / "conv1", x, {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});

#include <cstdint>

#include "engine/graph.h"

namespace tessera {

inline Value conv2d(const Scope& s, Value x, Conv2d layer) { return emit(s, layer, x); }
inline Value batch_norm(const Scope& s, Value x, float epsilon) { return emit(s, BatchNorm{.epsilon = epsilon}, x); }
inline Value linear(const Scope& s, Value x, std::int64_t out_features, bool bias = true) {
  return emit(s, Linear{.out_features = out_features, .bias = bias}, x);
}
inline Value layer_norm(const Scope& s, Value x, float epsilon) { return emit(s, LayerNorm{.epsilon = epsilon}, x); }
inline Value activation(const Scope& s, Value x, ActivationKind kind) { return emit(s, Activation{.kind = kind}, x); }
inline Value relu(const Scope& s, Value x) { return activation(s, x, ActivationKind::kRelu); }
inline Value max_pool(const Scope& s, Value x, Size2 kernel, Size2 stride, Size2 padding) {
  return emit(s, Pool2d{.kind = PoolKind::kMax, .kernel = kernel, .stride = stride, .padding = padding}, x);
}
inline Value global_average_pool(const Scope& s, Value x) { return emit(s, GlobalAveragePool{}, x); }
inline Value layer_scale(const Scope& s, Value x) { return emit(s, LayerScale{}, x); }
inline Value dropout(const Scope& s, Value x) { return emit(s, Dropout{}, x); }
inline Value add(const Scope& s, Value a, Value b) { return emit(s, Add{}, {a, b}); }
inline Value concat(const Scope& s, Value a, Value b) { return emit(s, Concat{}, {a, b}); }

// Names a block's output after the block, so that `layer1.0` or `blocks.3` can be tapped.
inline Value output_of(const Scope& s, Value x) {
  s.graph.name(s.path, x);
  return x;
}

// Squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507, section 3): channels weighted by a gate out of their means.
// x [N, H, W, C] -> like x; fc1 to `reduced` channels, `inner`, fc2 back to C, sigmoid. Names as timm's SqueezeExcite.
Value squeeze_excite(const Scope& s, Value x, std::int64_t reduced, ActivationKind inner);

}  // namespace tessera
