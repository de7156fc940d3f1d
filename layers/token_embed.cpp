#include "layers/token_embed.h"

#include <algorithm>
#include <cmath>

#include "layers/eigen.h"

namespace tessera {

namespace {

// Keys' cubic convolution kernel with the free parameter a.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((x - 5) * x + 8) * x * a - 4 * a;
  return 0;
}

// Weight of each input position for one output position, over a whole axis (grids are some tens wide).
std::vector<double> axis_weights(std::int64_t from, std::int64_t to, std::int64_t at, bool antialias) {
  std::vector<double> weights(static_cast<std::size_t>(from), 0.0);
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  if (!antialias) {
    constexpr double kA = -0.75;
    const double centre = (static_cast<double>(at) + 0.5) * scale - 0.5;
    const auto first = static_cast<std::int64_t>(std::floor(centre)) - 1;
    for (std::int64_t i = first; i < first + 4; ++i) {  // positions outside repeat the border
      weights[static_cast<std::size_t>(std::clamp<std::int64_t>(i, 0, from - 1))] +=
          cubic(centre - static_cast<double>(i), kA);
    }
    return weights;
  }
  constexpr double kA = -0.5;
  const double stretch = std::max(scale, 1.0);
  const double centre = (static_cast<double>(at) + 0.5) * scale;
  const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(centre - 2 * stretch + 0.5)));
  const auto last = std::min<std::int64_t>(from, static_cast<std::int64_t>(std::floor(centre + 2 * stretch + 0.5)));
  double sum = 0;
  for (std::int64_t i = first; i < last; ++i) {
    const double weight = cubic((static_cast<double>(i) - centre + 0.5) / stretch, kA);
    weights[static_cast<std::size_t>(i)] = weight;
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

Tensor copy_rows(const Tensor& tensor, std::int64_t first, std::int64_t rows, std::int64_t width) {
  return Tensor::from({tensor.data() + first * width, static_cast<std::size_t>(rows * width)}, {rows, width});
}

}  // namespace

Tensor resize_positions(ConstView positions, Size2 from, Size2 to, bool antialias) {
  const std::int64_t width = positions.shape()[-1];
  Tensor resized(Shape{to.height * to.width, width});
  std::vector<double> sum(static_cast<std::size_t>(width));
  for (std::int64_t y = 0; y < to.height; ++y) {
    const std::vector<double> rows = axis_weights(from.height, to.height, y, antialias);
    for (std::int64_t x = 0; x < to.width; ++x) {
      const std::vector<double> columns = axis_weights(from.width, to.width, x, antialias);
      std::ranges::fill(sum, 0.0);
      for (std::int64_t i = 0; i < from.height; ++i) {
        for (std::int64_t j = 0; j < from.width; ++j) {
          const double weight = rows[static_cast<std::size_t>(i)] * columns[static_cast<std::size_t>(j)];
          if (weight == 0) continue;
          const float* value = positions.data() + (i * from.width + j) * width;
          for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += weight * double{value[d]};
        }
      }
      std::ranges::transform(sum, resized.data() + (y * to.width + x) * width,
                             [](double value) { return static_cast<float>(value); });
    }
  }
  return resized;
}

Lesson TokenEmbed::lesson() const {
  return {position_covers_class ? "y = concat(cls, x) + pos" : "y = concat(cls, registers, x + pos)",
          registers > 0 ? "Darcet et al. 2023, arXiv:2309.16588" : "Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1"};
}

Shape TokenEmbed::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 3);
  if (in[0][1] != grid.height * grid.width) {
    shape_error(kName, "expects " + to_string(grid) + " patches", in);
  }
  if (position_covers_class && !class_token) shape_error(kName, "positions cover a class token that is not there", in);
  return {in[0][0], in[0][1] + prefix_tokens(), in[0][2]};
}

std::vector<WeightSpec> TokenEmbed::weights(Shapes in) const {
  const std::int64_t width = in[0][2];
  const std::int64_t positions = stored_grid.height * stored_grid.width + (position_covers_class ? 1 : 0);
  std::vector<WeightSpec> specs;
  if (class_token) specs.push_back({"cls_token", {1, 1, width}});
  if (registers > 0) specs.push_back({"reg_token", {1, registers, width}});
  specs.push_back({"pos_embed", {1, positions, width}});
  return specs;
}

std::vector<Tensor> TokenEmbed::prepare(std::vector<Tensor> weights) const {
  Tensor positions = std::move(weights.back());
  const std::int64_t width = positions.shape()[-1];
  const std::int64_t covered = position_covers_class ? 1 : 0;
  Tensor prefix(Shape{prefix_tokens(), width});
  float* to = prefix.data();
  for (std::size_t i = 0; i + 1 < weights.size(); ++i) to = std::ranges::copy(weights[i].values(), to).out;
  for (std::int64_t d = 0; d < covered * width; ++d) prefix.data()[d] += positions.data()[d];
  Tensor patches = copy_rows(positions, covered, stored_grid.height * stored_grid.width, width);
  std::vector<Tensor> prepared;
  prepared.push_back(std::move(prefix));
  prepared.push_back(stored_grid == grid ? std::move(patches)
                                         : resize_positions(patches.view(), stored_grid, grid, antialias));
  return prepared;
}

void TokenEmbed::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  const std::int64_t patch_values = x.stride0();
  const std::int64_t prefix_values = arguments.weights[0].shape().count();
  const ConstArrayMap positions(arguments.weights[1].data(), patch_values);
  arguments.threads.for_each(x.shape()[0], [&](std::int64_t n, int) {
    float* y = arguments.output.slice(n).data();
    std::copy_n(arguments.weights[0].data(), prefix_values, y);
    ArrayMap(y + prefix_values, patch_values) = ConstArrayMap(x.slice(n).data(), patch_values) + positions;
  });
}

}  // namespace tessera
