#include "layers/attention.h"

#include <cmath>

#include "layers/eigen.h"
#include "layers/softmax.h"

namespace tessera {

Shape Attention::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 3);
  if (heads < 1 || in[0][2] % (3 * heads) != 0) {
    shape_error(kName, std::to_string(heads) + " heads do not divide q, k and v", in);
  }
  return {in[0][0], in[0][1], in[0][2] / 3};
}

std::int64_t Attention::macs(Shapes in, const Shape& out) const { return 2 * out.count() * in[0][1]; }

std::int64_t Attention::scratch(Shapes in, int threads) const { return threads * in[0][1] * in[0][1]; }

void Attention::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  const std::int64_t tokens = x.shape()[1];
  const std::int64_t width = x.shape()[2] / 3;
  const std::int64_t head_width = width / heads;
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
  arguments.threads.for_each(x.shape()[0] * heads, [&](std::int64_t index, int thread) {
    const std::int64_t n = index / heads;
    const std::int64_t head = index % heads;
    const float* qkv = x.slice(n).data() + head * head_width;
    const Eigen::OuterStride<> token_stride(3 * width);
    const ConstMatrixMap q(qkv, tokens, head_width, token_stride);
    const ConstMatrixMap k(qkv + width, tokens, head_width, token_stride);
    const ConstMatrixMap v(qkv + 2 * width, tokens, head_width, token_stride);
    float* weights = arguments.scratch.data() + thread * tokens * tokens;
    MatrixMap scores(weights, tokens, tokens, Eigen::OuterStride<>(tokens));
    scores.noalias() = q * k.transpose();
    scores *= scale;
    for (std::int64_t t = 0; t < tokens; ++t) softmax_row({weights + t * tokens, static_cast<std::size_t>(tokens)});
    MatrixMap y(arguments.output.slice(n).data() + head * head_width, tokens, head_width, Eigen::OuterStride<>(width));
    y.noalias() = scores * v;
  });
}

}  // namespace tessera
