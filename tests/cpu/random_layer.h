#pragma once
// Layers of shapes that nobody chose, with inputs and weights to match.

#include <cmath>
#include <random>
#include <vector>

#include "tests/layers/guarded_run.h"

namespace tessera {

struct RandomLayer {
  Layer layer;
  std::vector<Tensor> inputs, weights;
  double reduction = 1;  // values summed for one output value
};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool coin() { return between(0, 1) == 1; }
  Tensor tensor(const Shape& shape, double bound) {
    Tensor made(shape);
    for (float& value : made.values()) {
      value = static_cast<float>(bound * (static_cast<double>(engine_() >> 11) * 0x1p-52 - 1));
    }
    return made;
  }
  ActivationKind activation() { return static_cast<ActivationKind>(between(0, 6)); }

 private:
  std::mt19937_64 engine_;
};

inline void add_weights_and_residual(RandomLayer& made, Draw& draw, bool residual) {
  const std::vector<Shape> in = shapes_of(made.inputs);
  for (const WeightSpec& spec : layer_weights(made.layer, in)) {
    made.weights.push_back(draw.tensor(spec.shape, spec.shape.rank() == 1 ? 0.5 : 1.7 / std::sqrt(made.reduction)));
  }
  if (!residual) return;
  made.inputs.push_back(draw.tensor(layer_output_shape(made.layer, in), 1));
  std::visit(
      [](auto& layer) {
        if constexpr (requires { layer.residual; }) layer.residual = true;
      },
      made.layer);
}

inline RandomLayer random_conv(Draw& draw) {
  Conv2d conv{.out_channels = draw.between(1, 70)};
  std::int64_t channels = draw.between(1, 40);
  conv.kernel = {draw.between(1, 5), draw.between(1, 5)};
  conv.stride = {draw.between(1, 3), draw.between(1, 3)};
  conv.dilation = {draw.between(1, 2), draw.between(1, 2)};
  conv.padding_same = draw.coin();
  conv.padding = {draw.between(0, 3), draw.between(0, 3)};
  switch (draw.between(0, 3)) {
    case 0:  // what Winograd takes
      conv.kernel = 3;
      conv.stride = 1;
      conv.dilation = 1;
      channels += 31;
      conv.out_channels += 31;
      break;
    case 1:
      conv.groups = conv.out_channels = channels;
      break;
    case 2:
      conv.kernel = 1;
      break;
    default:
      break;
  }
  conv.bias = draw.coin();
  conv.activation = draw.activation();
  RandomLayer made{.layer = conv, .inputs = {}, .weights = {}};
  made.inputs.push_back(draw.tensor({draw.between(1, 3), draw.between(9, 30), draw.between(9, 30), channels}, 1));
  made.reduction = static_cast<double>(conv.kernel.height * conv.kernel.width * channels / conv.groups);
  add_weights_and_residual(made, draw, draw.coin());
  return made;
}

inline RandomLayer random_linear(Draw& draw) {
  Linear linear{.out_features = draw.between(1, 200), .bias = draw.coin(), .activation = draw.activation()};
  RandomLayer made{.layer = linear, .inputs = {}, .weights = {}};
  const std::int64_t features = draw.between(1, 300);
  made.inputs.push_back(draw.tensor({draw.between(1, 4), draw.between(1, 60), features}, 1));
  made.reduction = static_cast<double>(features);
  add_weights_and_residual(made, draw, draw.coin());
  return made;
}

// Products so large that Strassen's algorithm pays: a linear layer over tokens, or a 1x1 convolution.
inline RandomLayer random_wide_product(Draw& draw) {
  const std::int64_t depth = 384 + 32 * draw.between(0, 4) + (draw.coin() ? 0 : 1280);
  const std::int64_t columns = 64 * draw.between(4, 6), pictures = draw.between(1, 3);
  RandomLayer made;
  if (draw.coin()) {
    made.layer = Linear{.out_features = columns, .bias = draw.coin(), .activation = draw.activation()};
    made.inputs.push_back(draw.tensor({pictures, draw.between(100, 140), depth}, 1));
  } else {
    const std::int64_t stride = draw.between(1, 2);
    Conv2d conv{.out_channels = columns, .kernel = 1, .stride = stride, .bias = draw.coin()};
    conv.activation = draw.activation();
    made.layer = conv;
    made.inputs.push_back(
        draw.tensor({pictures, stride * draw.between(10, 12), stride * draw.between(10, 12) - 1, depth}, 1));
  }
  made.reduction = static_cast<double>(depth);
  add_weights_and_residual(made, draw, draw.coin());
  return made;
}

// Products whose weights are more than half of any L2 cache: a linear layer, or a convolution whose taps end within a
// cache line. Columns are odd, so that the last panel is not full.
inline RandomLayer random_deep_product(Draw& draw) {
  RandomLayer made;
  if (draw.coin()) {
    const std::int64_t depth = draw.between(900, 1700);
    made.layer = Linear{.out_features = (300'000 / depth) | 1, .bias = draw.coin(), .activation = draw.activation()};
    made.inputs.push_back(draw.tensor({draw.between(1, 3), draw.between(1, 190), depth}, 1));
    made.reduction = static_cast<double>(depth);
  } else {
    const std::int64_t channels = draw.between(60, 90);
    Conv2d conv{.out_channels = (300'000 / (9 * channels)) | 1, .kernel = 3, .stride = 2, .padding = 1};
    conv.bias = draw.coin();
    conv.activation = draw.activation();
    made.layer = conv;
    made.inputs.push_back(draw.tensor({draw.between(1, 3), draw.between(3, 30), draw.between(3, 30), channels}, 1));
    made.reduction = static_cast<double>(9 * channels);
  }
  add_weights_and_residual(made, draw, draw.coin());
  return made;
}

inline RandomLayer random_attention(Draw& draw) {
  const std::int64_t heads = draw.between(1, 5), width = draw.between(1, 70), tokens = draw.between(1, 80);
  RandomLayer made{.layer = Attention{.heads = heads}, .inputs = {}, .weights = {}};
  made.inputs.push_back(draw.tensor({draw.between(1, 3), tokens, 3 * heads * width}, 2));
  made.reduction = static_cast<double>(tokens + width) * 4;
  return made;
}

inline RandomLayer random_other(Draw& draw) {
  RandomLayer made;
  const std::int64_t channels = draw.between(1, 100);
  made.inputs.push_back(draw.tensor({draw.between(1, 3), draw.between(4, 20), draw.between(4, 20), channels}, 3));
  switch (draw.between(0, 4)) {
    case 0:
      made.layer = LayerNorm{};
      made.reduction = static_cast<double>(channels);
      break;
    case 1:
      made.layer = Softmax{};
      break;
    case 2:
      made.layer = Pool2d{.kind = PoolKind::kMax,
                          .kernel = draw.between(2, 4),
                          .stride = draw.between(1, 3),
                          .padding = draw.between(0, 1),
                          .ceil_mode = draw.coin()};
      break;
    case 3:
      made.layer = GlobalAveragePool{};
      break;
    default:
      made.layer = Activation{draw.activation()};
      break;
  }
  add_weights_and_residual(made, draw, false);
  return made;
}

}  // namespace tessera
