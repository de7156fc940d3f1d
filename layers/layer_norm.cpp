#include "layers/layer_norm.h"

#include <cmath>

namespace tessera {

Shape LayerNorm::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  return in[0];
}

std::vector<WeightSpec> LayerNorm::weights(Shapes in) const {
  return {{"weight", {in[0][-1]}, kSeededFactor}, {"bias", {in[0][-1]}}};
}

void LayerNorm::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  const float* weight = arguments.weights[0].data();
  const float* bias = arguments.weights[1].data();
  arguments.threads.for_each(arguments.output.count() / channels, [&](std::int64_t row, int) {
    const float* x = arguments.inputs[0].data() + row * channels;
    float* y = arguments.output.data() + row * channels;
    double sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += double{x[c]};
    const double mean = sum / static_cast<double>(channels);
    double squares = 0;
    for (std::int64_t c = 0; c < channels; ++c) squares += (double{x[c]} - mean) * (double{x[c]} - mean);
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(channels) + double{epsilon});
    for (std::int64_t c = 0; c < channels; ++c) {
      y[c] = static_cast<float>((double{x[c]} - mean) * scale) * weight[c] + bias[c];
    }
  });
}

}  // namespace tessera
