#include "layers/simple.h"

#include <algorithm>

#include "layers/eigen.h"

namespace tessera {

Shape Flatten::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ...]", in);
  return {in[0][0], in[0][0] == 0 ? 0 : in[0].count() / in[0][0]};
}

void Flatten::forward(const ForwardArguments& arguments) const {
  const Shape& in = arguments.inputs[0].shape();
  if (in.rank() != 4) {
    std::ranges::copy(arguments.inputs[0].values(), arguments.output.data());
    return;
  }
  for (std::int64_t n = 0; n < in[0]; ++n) {
    const Eigen::Index pixels = in[1] * in[2];
    const ConstMatrixMap x(arguments.inputs[0].slice(n).data(), pixels, in[3], Eigen::OuterStride<>(in[3]));
    MatrixMap(arguments.output.slice(n).data(), in[3], pixels, Eigen::OuterStride<>(pixels)) = x.transpose();
  }
}

Shape LayerScale::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  return in[0];
}

std::vector<WeightSpec> LayerScale::weights(Shapes in) const { return {{"gamma", {in[0][-1]}}}; }

void LayerScale::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  const ConstArrayMap gamma(arguments.weights[0].data(), channels);
  arguments.threads.for_each(arguments.output.count() / channels, [&](std::int64_t row, int) {
    ArrayMap(arguments.output.data() + row * channels, channels) =
        ConstArrayMap(arguments.inputs[0].data() + row * channels, channels) * gamma;
  });
}

Shape Dropout::output_shape(Shapes in) const {
  if (in.size() != 1) shape_error(kName, "takes one input", in);
  return in[0];
}

void Dropout::forward(const ForwardArguments& arguments) const {
  const std::span<const float> x = arguments.inputs[0].values();
  if (x.data() != arguments.output.data()) std::ranges::copy(x, arguments.output.data());
}

}  // namespace tessera
