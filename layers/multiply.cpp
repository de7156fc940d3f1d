#include "layers/multiply.h"

#include "layers/eigen.h"

namespace tessera {

Shape Multiply::output_shape(Shapes in) const {
  expect_inputs(kName, in, 2, 4);
  if (in[1] != Shape{in[0][0], 1, 1, in[0][3]}) shape_error(kName, "takes x [N, H, W, C] and gate [N, 1, 1, C]", in);
  return in[0];
}

void Multiply::forward(const ForwardArguments& arguments) const {
  const Shape& shape = arguments.output.shape();
  const std::int64_t channels = shape[3];
  arguments.threads.for_each(shape[0] * shape[1], [&](std::int64_t row, int) {
    const ConstArrayMap gate(arguments.inputs[1].data() + row / shape[1] * channels, channels);
    for (std::int64_t pixel = row * shape[2]; pixel < (row + 1) * shape[2]; ++pixel) {
      ArrayMap(arguments.output.data() + pixel * channels, channels) =
          ConstArrayMap(arguments.inputs[0].data() + pixel * channels, channels) * gate;
    }
  });
}

}  // namespace tessera
