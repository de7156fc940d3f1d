#pragma once
// Layers of shapes that nobody chose, with inputs and weights to match.

#include <vector>

#include "layers/examples.h"

namespace tessera {

struct RandomLayer {
  Layer layer;
  std::vector<Tensor> inputs, weights;
  double reduction = 1;  // values summed for one output value
};

inline RandomLayer with_values(const LayerExample& example, Draw& draw, double bound = 1) {
  return {.layer = example.layer,
          .inputs = draw_inputs(example.in, draw, bound),
          .weights = draw_weights(example.layer, example.in, draw),
          .reduction = static_cast<double>(layer_reduction(example.layer, example.in))};
}

// One of a type of layer.
template <class L>
RandomLayer random_layer(Draw& draw) {
  const Example<L> example = L::drawn(draw);
  return with_values({example.layer, example.in}, draw);
}

inline RandomLayer random_of_any_type(Draw& draw) {
  constexpr auto kLast = static_cast<std::int64_t>(std::variant_size_v<Layer>) - 1;
  const auto kind = static_cast<std::size_t>(draw.between(0, kLast));
  return with_values(draw_layer(kind, draw), draw, 2);
}

// A convolution or a linear layer over inputs [N, ..., C], which adds a residual where it is told to.
template <class L>
RandomLayer random_product(L layer, const Shape& x, bool residual, Draw& draw) {
  std::vector<Shape> in{x};
  if (residual) in.push_back(layer.output_shape(in));
  layer.residual = residual;
  return with_values({layer, in}, draw);
}

// Products so large that Strassen's algorithm pays: a linear layer over tokens, or a 1x1 convolution.
inline RandomLayer random_wide_product(Draw& draw) {
  const std::int64_t depth = 384 + 32 * draw.between(0, 4) + (draw.coin() ? 0 : 1280);
  const std::int64_t columns = 64 * draw.between(4, 6), pictures = draw.between(1, 3);
  const auto kind = draw.one_of<ActivationKind>();
  const bool bias = draw.coin(), residual = draw.coin();
  if (draw.coin()) {
    const Linear linear{.out_features = columns, .bias = bias, .activation = kind};
    return random_product(linear, {pictures, draw.between(100, 140), depth}, residual, draw);
  }
  const std::int64_t stride = draw.between(1, 2);
  const Conv2d conv{.out_channels = columns, .stride = stride, .bias = bias, .activation = kind};
  const Shape x{pictures, stride * draw.between(10, 12), stride * draw.between(10, 12) - 1, depth};
  return random_product(conv, x, residual, draw);
}

// Products whose weights are more than half of any L2 cache: a linear layer, or a convolution whose taps end within a
// cache line. Columns are odd, so that the last panel is not full.
inline RandomLayer random_deep_product(Draw& draw) {
  const auto kind = draw.one_of<ActivationKind>();
  const bool bias = draw.coin(), residual = draw.coin();
  if (draw.coin()) {
    const std::int64_t depth = draw.between(900, 1700);
    const Linear linear{.out_features = (300'000 / depth) | 1, .bias = bias, .activation = kind};
    return random_product(linear, {draw.between(1, 3), draw.between(1, 190), depth}, residual, draw);
  }
  const std::int64_t channels = draw.between(60, 90);
  Conv2d conv{.out_channels = (300'000 / (9 * channels)) | 1, .kernel = 3, .stride = 2, .padding = 1};
  conv.bias = bias;
  conv.activation = kind;
  const Shape x{draw.between(1, 3), draw.between(3, 30), draw.between(3, 30), channels};
  return random_product(conv, x, residual, draw);
}

}  // namespace tessera
