#include "layers/batch_norm.h"

#include <cmath>

#include "layers/eigen.h"

namespace tessera {

Shape BatchNorm::output_shape(Shapes in) const {
  if (in.size() != 1 || in[0].rank() < 2) shape_error(kName, "takes one input [N, ..., C]", in);
  return in[0];
}

std::vector<WeightSpec> BatchNorm::weights(Shapes in) const {
  const Shape channels{in[0][-1]};
  return {{"weight", channels, kSeededFactor},
          {"bias", channels},
          {"running_mean", channels},
          {"running_var", channels, kSeededFactor}};
}

std::vector<Tensor> BatchNorm::prepare(std::vector<Tensor> weights) const {
  Tensor scale(weights[0].shape());
  Tensor shift(weights[0].shape());
  for (std::int64_t c = 0; c < scale.shape()[0]; ++c) {
    const double factor = double{weights[0].data()[c]} / std::sqrt(double{weights[3].data()[c]} + double{epsilon});
    scale.data()[c] = static_cast<float>(factor);
    shift.data()[c] = static_cast<float>(double{weights[1].data()[c]} - double{weights[2].data()[c]} * factor);
  }
  std::vector<Tensor> prepared;
  prepared.push_back(std::move(scale));
  prepared.push_back(std::move(shift));
  return prepared;
}

void BatchNorm::forward(const ForwardArguments& arguments) const {
  const std::int64_t channels = arguments.output.shape()[-1];
  const ConstArrayMap scale(arguments.weights[0].data(), channels);
  const ConstArrayMap shift(arguments.weights[1].data(), channels);
  const std::int64_t pixels = arguments.output.count() / channels;
  constexpr std::int64_t kPixelsPerTask = 64;
  arguments.threads.for_each((pixels + kPixelsPerTask - 1) / kPixelsPerTask, [&](std::int64_t task, int) {
    const std::int64_t end = std::min(pixels, (task + 1) * kPixelsPerTask);
    for (std::int64_t pixel = task * kPixelsPerTask; pixel < end; ++pixel) {
      const ConstArrayMap x(arguments.inputs[0].data() + pixel * channels, channels);
      ArrayMap(arguments.output.data() + pixel * channels, channels) = x * scale + shift;
    }
  });
}

}  // namespace tessera
