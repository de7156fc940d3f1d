#include "layers/softmax.h"

#include <algorithm>
#include <cmath>

namespace tessera {

void softmax_row(std::span<float> row) {
  const float largest = *std::ranges::max_element(row);
  double sum = 0;
  for (float& value : row) {
    value = std::exp(value - largest);
    sum += double{value};
  }
  const auto scale = static_cast<float>(1.0 / sum);
  for (float& value : row) value *= scale;
}

Shape Softmax::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 1) shape_error(kName, "takes one input [..., C]", in);
  return in[0];
}

void Softmax::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  arguments.threads.for_each(arguments.output.count() / channels, [&](std::int64_t row, int) {
    const float* x = arguments.inputs[0].data() + row * channels;
    float* y = arguments.output.data() + row * channels;
    if (x != y) std::copy_n(x, channels, y);
    softmax_row({y, static_cast<std::size_t>(channels)});
  });
}

}  // namespace tessera
