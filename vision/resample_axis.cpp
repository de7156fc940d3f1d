#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "vision/resample.h"

namespace tessera {

namespace {

double support_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      return 3.0;
  }
  throw InternalError("unknown filter");
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

// The operations follow Pillow's order, since the rounding to fixed point can show the last bit of a double.
double value_of(Filter filter, double x) {
  switch (filter) {
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::kBilinear:
      x = std::abs(x);
      return x < 1.0 ? 1.0 - x : 0.0;
    case Filter::kBicubic: {
      constexpr double kA = -0.5;
      x = std::abs(x);
      if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
      if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
      return 0.0;
    }
    case Filter::kLanczos:
      return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
  }
  throw InternalError("unknown filter");
}

struct RealAxis {
  ResampleAxis axis;            // all but the weights
  std::vector<double> weights;  // normalised to a sum of 1
};

RealAxis real_weights(int from, int to, Filter filter, int offset, int length) {
  RealAxis result;
  ResampleAxis& axis = result.axis;
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  const double shrink = 1.0 / stretch;
  axis.stride = static_cast<int>(std::ceil(support)) * 2 + 2;
  result.weights.assign(static_cast<std::size_t>(axis.stride) * static_cast<std::size_t>(length), 0.0);
  double* weights = result.weights.data();
  for (int output = offset; output < offset + length; ++output, weights += axis.stride) {
    const double centre = (output + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(centre - support + 0.5)));
    const int count = std::min(from, static_cast<int>(std::floor(centre + support + 0.5))) - first;
    double sum = 0.0;
    for (int i = 0; i < count; ++i) {
      weights[i] = value_of(filter, (i + first - centre + 0.5) * shrink);
      sum += weights[i];
    }
    for (int i = 0; i < count && sum != 0.0; ++i) weights[i] /= sum;
    axis.first.push_back(first);
    axis.count.push_back(count);
  }
  return result;
}

ResampleAxis fixed_point(RealAxis real, int bits) {
  ResampleAxis axis = std::move(real.axis);
  axis.bits = bits;
  axis.weights.reserve(real.weights.size());
  for (const double weight : real.weights) {
    const double scaled = weight * static_cast<double>(1 << bits);
    axis.weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
  }
  return axis;
}

}  // namespace

ResampleAxis pillow_axis(int from, int to, Filter filter, int offset, int length) {
  return fixed_point(real_weights(from, to, filter, offset, length), 32 - 8 - 2);
}

ResampleAxis torchvision_axis(int from, int to, Filter filter, int offset, int length) {
  RealAxis real = real_weights(from, to, filter, 0, to);
  const double largest = *std::ranges::max_element(real.weights);
  int bits = 0;
  while (bits < 22 && std::floor(0.5 + largest * static_cast<double>(1 << (bits + 1))) < (1 << 15)) ++bits;
  const auto keep = [&](auto& values, int each) {
    const auto begin = values.begin() + std::ptrdiff_t{offset} * each;
    values = {begin, begin + std::ptrdiff_t{length} * each};
  };
  keep(real.weights, real.axis.stride);
  keep(real.axis.first, 1);
  keep(real.axis.count, 1);
  return fixed_point(std::move(real), bits);
}

}  // namespace tessera
