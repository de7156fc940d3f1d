#include "layers/concat.h"

#include <algorithm>

namespace tessera {

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
