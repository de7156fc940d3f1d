#include "layers/global_average_pool.h"

#include "layers/eigen.h"

namespace tessera {

Shape GlobalAveragePool::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 4);
  if (in[0][1] == 0 || in[0][2] == 0) shape_error(kName, "needs at least one pixel", in);
  return keep_dimensions ? Shape{in[0][0], 1, 1, in[0][3]} : Shape{in[0][0], in[0][3]};
}

void GlobalAveragePool::forward(const ForwardArguments& arguments) const {
  const Shape& in = arguments.inputs[0].shape();
  const std::int64_t channels = in[3];
  const std::int64_t pixels = in[1] * in[2];
  arguments.threads.for_each(in[0], [&](std::int64_t n, int) {
    const float* x = arguments.inputs[0].slice(n).data();
    ArrayMap y(arguments.output.slice(n).data(), channels);
    y.setZero();
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) y += ConstArrayMap(x + pixel * channels, channels);
    y /= static_cast<float>(pixels);
  });
}

}  // namespace tessera
