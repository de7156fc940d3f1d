#include "layers/layer_norm.h"

#include <cmath>

#include <fmt/format.h>

#include "layers/eigen.h"

namespace tessera {

Shape LayerNorm::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  return in[0];
}

std::vector<WeightSpec> LayerNorm::weights(Shapes in) const {
  return {{"weight", {in[0][-1]}}, {"bias", {in[0][-1]}}};
}

std::string LayerNorm::attributes() const { return fmt::format("epsilon {:g}", epsilon); }

void LayerNorm::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  const ConstArrayMap weight(arguments.weights[0].data(), channels);
  const ConstArrayMap bias(arguments.weights[1].data(), channels);
  arguments.threads.for_each(arguments.output.count() / channels, [&](std::int64_t row, int) {
    const ConstArrayMap x(arguments.inputs[0].data() + row * channels, channels);
    ArrayMap y(arguments.output.data() + row * channels, channels);
    y = x - x.mean();
    const float variance = y.square().mean();
    y = y * (1.0F / std::sqrt(variance + epsilon)) * weight + bias;
  });
}

}  // namespace tessera
