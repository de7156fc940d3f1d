#include "layers/linear.h"

#include "layers/matmul.h"

namespace tessera {

Shape Linear::output_shape(Shapes in) const {
  if (in.size() != (residual ? 2U : 1U) || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  if (out_features < 1) shape_error(kName, "needs at least one output feature", in);
  Shape out = in[0];
  out[-1] = out_features;
  if (residual && in[1] != out) shape_error(kName, "the residual is not like the output " + to_string(out), in);
  return out;
}

std::vector<WeightSpec> Linear::weights(Shapes in) const {
  const Shape rows{out_features, in[0][-1]};
  std::vector<WeightSpec> specs{{"weight", rows, seeded_by_fan_in(rows)}};
  if (bias) specs.push_back({"bias", {out_features}, kSeededBias});
  return specs;
}

std::int64_t Linear::macs(Shapes in, const Shape& out) const { return out.count() * in[0][-1]; }

std::vector<Tensor> Linear::prepare(std::vector<Tensor> weights) const {
  if (!folded_layer_scale) return weights;
  const Tensor gamma = std::move(weights.back());
  weights.pop_back();
  for (Tensor& tensor : weights) {
    const std::int64_t per_row = tensor.shape().count() / out_features;
    for (std::int64_t o = 0; o < out_features; ++o) {
      for (std::int64_t i = 0; i < per_row; ++i) tensor.data()[o * per_row + i] *= gamma.data()[o];
    }
  }
  return weights;
}

void Linear::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    const std::int64_t features = x.shape()[-1];
    const float* rows = x.slice(n).data();
    const Matmul product{.m = x.stride0() / features,
                         .n = out_features,
                         .k = features,
                         .b = arguments.weights[0].data(),
                         .c = arguments.output.slice(n).data(),
                         .c_stride = out_features,
                         .epilogue = {.bias = bias ? arguments.weights[1].data() : nullptr,
                                      .residual = residual ? arguments.inputs[1].slice(n).data() : nullptr,
                                      .activation = activation}};
    const auto in_place = [&](std::int64_t row, std::int64_t, float*, std::int64_t& stride) -> const float* {
      stride = features;
      return rows + row * features;
    };
    matmul(product, in_place, nullptr, arguments.threads);
  }
}

}  // namespace tessera
