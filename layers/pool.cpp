#include "layers/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/eigen.h"

namespace tessera {

namespace {

std::int64_t pooled(std::int64_t length, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil) {
  const std::int64_t room = length + 2 * padding - kernel;
  std::int64_t out = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
  if (ceil && (out - 1) * stride >= length + padding) --out;
  return out;
}

// The part of a window along one axis: pixels inside the picture, and how many count for the mean.
struct Window {
  std::int64_t begin, end, padded;
  Window(std::int64_t at, std::int64_t length, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    const std::int64_t start = at * stride - padding;
    begin = std::max<std::int64_t>(0, start);
    end = std::min(length, start + kernel);
    padded = std::min(start + kernel, length + padding) - start;
  }
};

// A NaN wins over every number, as in PyTorch.
void keep_largest(const ConstArrayMap& x, ArrayMap& y) {
  for (Eigen::Index c = 0; c < y.size(); ++c) y[c] = x[c] > y[c] || std::isnan(x[c]) ? x[c] : y[c];
}

}  // namespace

Lesson Pool2d::lesson() const {
  if (kind == PoolKind::kMax) return {"y = max of x over each window", "torch.nn.MaxPool2d"};
  return {"y = mean of x over each window", "torch.nn.AvgPool2d"};
}

Shape Pool2d::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 4);
  const Shape& x = in[0];
  if (std::min({kernel.height, kernel.width, stride.height, stride.width}) < 1 ||
      std::min(padding.height, padding.width) < 0 || padding.height * 2 > kernel.height ||
      padding.width * 2 > kernel.width || x[1] + 2 * padding.height < kernel.height ||
      x[2] + 2 * padding.width < kernel.width) {
    shape_error(kName,
                "needs kernel and stride of at least 1, padding of at most half the kernel, and a kernel that "
                "fits into the padded picture",
                in);
  }
  return {x[0], pooled(x[1], kernel.height, stride.height, padding.height, ceil_mode),
          pooled(x[2], kernel.width, stride.width, padding.width, ceil_mode), x[3]};
}

void Pool2d::forward(const ForwardArguments& arguments) const {
  const Shape& in = arguments.inputs[0].shape();
  const Shape& out = arguments.output.shape();
  const std::int64_t channels = in[3];
  arguments.threads.for_each(out[0] * out[1], [&](std::int64_t index, int) {
    const float* x = arguments.inputs[0].slice(index / out[1]).data();
    const Window rows(index % out[1], in[1], kernel.height, stride.height, padding.height);
    for (std::int64_t ox = 0; ox < out[2]; ++ox) {
      const Window columns(ox, in[2], kernel.width, stride.width, padding.width);
      ArrayMap y(arguments.output.data() + (index * out[2] + ox) * channels, channels);
      y.setConstant(kind == PoolKind::kMax ? -std::numeric_limits<float>::infinity() : 0.0F);
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        for (std::int64_t ix = columns.begin; ix < columns.end; ++ix) {
          const ConstArrayMap pixel(x + (iy * in[2] + ix) * channels, channels);
          if (kind == PoolKind::kMax) {
            keep_largest(pixel, y);
          } else {
            y += pixel;
          }
        }
      }
      if (kind == PoolKind::kAverage) {
        const std::int64_t inside = (rows.end - rows.begin) * (columns.end - columns.begin);
        y /= static_cast<float>(count_include_pad ? rows.padded * columns.padded : inside);
      }
    }
  });
}

}  // namespace tessera
