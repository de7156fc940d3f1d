#include "layers/layer_scale.h"

#include "layers/eigen.h"

namespace tessera {

Shape LayerScale::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  return in[0];
}

std::vector<WeightSpec> LayerScale::weights(Shapes in) const { return {{"gamma", {in[0][-1]}, {0.5, 1.0}}}; }

void LayerScale::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  const ConstArrayMap gamma(arguments.weights[0].data(), channels);
  arguments.threads.for_each(arguments.output.count() / channels, [&](std::int64_t row, int) {
    ArrayMap(arguments.output.data() + row * channels, channels) =
        ConstArrayMap(arguments.inputs[0].data() + row * channels, channels) * gamma;
  });
}

}  // namespace tessera
