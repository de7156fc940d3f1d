#include "layers/combine.h"

#include <algorithm>

#include "layers/eigen.h"
#include "layers/elementwise.h"

namespace tessera {

Shape Add::output_shape(Shapes in) const {
  if (in.size() != 2 || in[0] != in[1]) shape_error(kName, "takes two inputs of the same shape", in);
  return in[0];
}

void Add::forward(const ForwardArguments& arguments) const {
  for_each_block(arguments.threads, arguments.output.count(), [&](std::int64_t begin, std::int64_t end) {
    ArrayMap(arguments.output.data() + begin, end - begin) =
        ConstArrayMap(arguments.inputs[0].data() + begin, end - begin) +
        ConstArrayMap(arguments.inputs[1].data() + begin, end - begin);
  });
}

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

Shape Concat::output_shape(Shapes in) const {
  if (in.empty()) shape_error(kName, "takes at least one input", in);
  Shape out = in[0];
  out[-1] = 0;
  for (const Shape& shape : in) {
    Shape same = shape;
    if (shape.rank() == in[0].rank()) same[-1] = in[0][-1];
    if (same != in[0]) shape_error(kName, "inputs may differ in the last dimension only", in);
    out[-1] += shape[-1];
  }
  return out;
}

void Concat::forward(const ForwardArguments& arguments) const {
  const std::int64_t width = arguments.output.shape()[-1];
  const std::int64_t rows = arguments.output.count() / width;
  arguments.threads.for_each(rows, [&](std::int64_t row, int) {
    float* y = arguments.output.data() + row * width;
    for (const ConstView& x : arguments.inputs) {
      const std::int64_t part = x.shape()[-1];
      y = std::copy_n(x.data() + row * part, part, y);
    }
  });
}

}  // namespace tessera
