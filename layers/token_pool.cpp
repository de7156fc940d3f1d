#include "layers/token_pool.h"

#include <algorithm>

#include "layers/eigen.h"

namespace tessera {

Lesson TokenPool::lesson() const {
  return {kind == TokenPoolKind::kFirst ? "y = x[0], the class token" : "y = mean of the patch tokens",
          "Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 4"};
}

Shape TokenPool::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 3);
  if (skip < 0 || skip >= in[0][1]) shape_error(kName, "no tokens are left to pool", in);
  return {in[0][0], in[0][2]};
}

void TokenPool::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  const std::int64_t width = x.shape()[2];
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    const float* tokens = x.slice(n).data();
    ArrayMap y(arguments.output.slice(n).data(), width);
    if (kind == TokenPoolKind::kFirst) {
      y = ConstArrayMap(tokens, width);
      continue;
    }
    y.setZero();
    for (std::int64_t t = skip; t < x.shape()[1]; ++t) y += ConstArrayMap(tokens + t * width, width);
    y /= static_cast<float>(x.shape()[1] - skip);
  }
}

}  // namespace tessera
