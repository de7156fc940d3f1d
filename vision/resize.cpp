#include "vision/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace tessera {

namespace {

constexpr std::array<std::pair<Filter, std::string_view>, 4> kNames{{{Filter::kBox, "box"},
                                                                     {Filter::kBilinear, "bilinear"},
                                                                     {Filter::kBicubic, "bicubic"},
                                                                     {Filter::kLanczos, "lanczos"}}};

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

// For each output position the input positions that it sums, as fixed-point weights.
struct Axis {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;  // `stride` for each output position
  int stride = 0;
  int bits = 0;

  const std::int32_t* at(int output) const { return weights.data() + static_cast<std::size_t>(output) * static_cast<std::size_t>(stride); }
};

struct RealAxis {
  Axis axis;
  std::vector<double> weights;
};

RealAxis real_weights(int from, int to, Filter filter) {
  RealAxis result;
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  Axis& axis = result.axis;
  axis.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  result.weights.assign(static_cast<std::size_t>(axis.stride) * static_cast<std::size_t>(to), 0.0);
  for (int output = 0; output < to; ++output) {
    const double centre = (output + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min(from, static_cast<int>(centre + support + 0.5)) - first;
    double* weights = result.weights.data() + static_cast<std::size_t>(output) * static_cast<std::size_t>(axis.stride);
    double sum = 0.0;
    const double shrink = 1.0 / stretch;
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

Axis fixed_point(RealAxis real, int bits) {
  Axis axis = std::move(real.axis);
  axis.bits = bits;
  axis.weights.reserve(real.weights.size());
  for (const double weight : real.weights) {
    const double scaled = weight * static_cast<double>(1 << bits);
    axis.weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
  }
  return axis;
}

Axis pillow_axis(int from, int to, Filter filter) { return fixed_point(real_weights(from, to, filter), 32 - 8 - 2); }

Axis torchvision_axis(int from, int to, Filter filter) {
  RealAxis real = real_weights(from, to, filter);
  const double largest = *std::ranges::max_element(real.weights);
  int bits = 0;
  while (bits < 22 && static_cast<int>(0.5 + largest * static_cast<double>(1 << (bits + 1))) < (1 << 15)) ++bits;
  return fixed_point(std::move(real), bits);
}

// A pixel's channels side by side, so that one instruction multiplies them all.
using Lanes = std::int32_t __attribute__((vector_size(16)));

std::uint8_t clip(std::int32_t sum, int bits) { return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255)); }

// Rows [first_row, first_row + rows) of the input, made `axis` wide.
Image horizontal_pass(const Image& in, const Axis& axis, int first_row, int rows) {
  const int width = static_cast<int>(axis.first.size());
  Image out{width, rows, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * static_cast<std::size_t>(rows) * 3)};
  std::vector<Lanes> pixels(static_cast<std::size_t>(in.width));
  const std::int32_t half = 1 << (axis.bits - 1);
  for (int y = 0; y < rows; ++y) {
    const std::uint8_t* from = in.row(first_row + y);
    for (Lanes& pixel : pixels) {
      pixel = Lanes{from[0], from[1], from[2], 0};
      from += 3;
    }
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < width; ++x) {
      const auto index = static_cast<std::size_t>(x);
      const Lanes* taps = pixels.data() + axis.first[index];
      const std::int32_t* weights = axis.at(x);
      Lanes sum = Lanes{half, half, half, half};
      for (int i = 0; i < axis.count[index]; ++i) sum += taps[i] * weights[i];
      for (int channel = 0; channel < 3; ++channel) *to++ = clip(sum[channel], axis.bits);
    }
  }
  return out;
}

// `in` begins at row `first_row` of the picture that `axis` speaks of.
Image vertical_pass(const Image& in, const Axis& axis, int first_row) {
  const int height = static_cast<int>(axis.first.size());
  Image out{in.width, height, std::vector<std::uint8_t>(in.stride() * static_cast<std::size_t>(height))};
  std::vector<std::int32_t> sums(in.stride());
  for (int y = 0; y < height; ++y) {
    const auto index = static_cast<std::size_t>(y);
    const std::int32_t* weights = axis.at(y);
    std::ranges::fill(sums, 1 << (axis.bits - 1));
    for (int i = 0; i < axis.count[index]; ++i) {
      const std::uint8_t* from = in.row(axis.first[index] - first_row + i);
      const std::int32_t weight = weights[i];
      for (std::size_t x = 0; x < sums.size(); ++x) sums[x] += from[x] * weight;
    }
    std::uint8_t* to = out.row(y);
    for (std::size_t x = 0; x < sums.size(); ++x) to[x] = clip(sums[x], axis.bits);
  }
  return out;
}

template <class MakeAxis>
Image resize(const Image& image, int width, int height, ResizeOrder order, const MakeAxis& make_axis) {
  if (width < 1 || height < 1 || image.width < 1 || image.height < 1) {
    throw InternalError("resize of " + std::to_string(image.width) + "x" + std::to_string(image.height) + " to " +
                        std::to_string(width) + "x" + std::to_string(height));
  }
  const bool horizontal = width != image.width;
  const bool vertical = height != image.height;
  if (!horizontal && !vertical) return image;
  if (!vertical) return horizontal_pass(image, make_axis(image.width, width), 0, image.height);
  const Axis rows = make_axis(image.height, height);
  if (!horizontal) return vertical_pass(image, rows, 0);
  const Axis columns = make_axis(image.width, width);
  if (order == ResizeOrder::kVerticalFirst) {
    return horizontal_pass(vertical_pass(image, rows, 0), columns, 0, height);
  }
  const int first_row = rows.first.front();
  const int last_row = rows.first.back() + rows.count.back();
  return vertical_pass(horizontal_pass(image, columns, first_row, last_row - first_row), rows, first_row);
}

}  // namespace

std::string_view to_string(Filter filter) {
  for (const auto& [known, name] : kNames) {
    if (known == filter) return name;
  }
  throw InternalError("unnamed filter");
}

Filter filter_from_string(std::string_view name) {
  for (const auto& [filter, known] : kNames) {
    if (known == name) return filter;
  }
  throw UsageError("unknown filter '" + std::string(name) + "'; known: box, bilinear, bicubic, lanczos");
}

Image resize_pillow(const Image& image, int width, int height, Filter filter, ResizeOrder order) {
  return resize(image, width, height, order, [&](int from, int to) { return pillow_axis(from, to, filter); });
}

Image resize_torchvision(const Image& image, int width, int height, Filter filter) {
  if (filter != Filter::kBilinear && filter != Filter::kBicubic) {
    throw UsageError("torchvision's resize is bilinear or bicubic, not " + std::string(to_string(filter)));
  }
  return resize(image, width, height, ResizeOrder::kHorizontalFirst,
                [&](int from, int to) { return torchvision_axis(from, to, filter); });
}

}  // namespace tessera
