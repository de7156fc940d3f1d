#include "layers/flatten.h"

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

}  // namespace tessera
