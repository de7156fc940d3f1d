#include "layers/conv2d.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "layers/eigen.h"
#include "layers/matmul.h"

namespace tessera {

namespace {

std::int64_t extent(std::int64_t kernel, std::int64_t dilation) { return dilation * (kernel - 1) + 1; }

std::int64_t same_padding(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  const std::int64_t out = (in + stride - 1) / stride;
  return std::max<std::int64_t>(0, (out - 1) * stride + extent(kernel, dilation) - in);
}

// [O, I, KH, KW] -> [O, KH, KW, I], so that a gathered patch and a filter run in the same order.
Tensor filters_last_channel(Tensor weight) {
  const Shape s = weight.shape();
  const std::int64_t taps = s[2] * s[3];
  std::vector<float> filter(static_cast<std::size_t>(s[1] * taps));
  for (std::int64_t o = 0; o < s[0]; ++o) {
    float* place = weight.data() + o * s[1] * taps;
    std::copy_n(place, filter.size(), filter.begin());
    const float* from = filter.data();
    for (std::int64_t i = 0; i < s[1]; ++i) {
      for (std::int64_t tap = 0; tap < taps; ++tap) place[tap * s[1] + i] = *from++;
    }
  }
  return std::move(weight).reshaped({s[0], s[2], s[3], s[1]});
}

// [C, 1, KH, KW] -> [KH, KW, C].
Tensor depthwise_filters(const Tensor& weight) {
  const Shape& s = weight.shape();
  const std::int64_t taps = s[2] * s[3];
  Tensor packed(Shape{s[2], s[3], s[0]});
  for (std::int64_t c = 0; c < s[0]; ++c) {
    for (std::int64_t tap = 0; tap < taps; ++tap) packed.data()[tap * s[0] + c] = weight.data()[c * taps + tap];
  }
  return packed;
}

// One picture of a convolution: where patches come from.
struct Picture {
  const Conv2d& conv;
  const float* x;  // [H, W, C]
  Shape in, out;   // [1, H, W, C]
  Size2 pad;

  // Calls tap(ky, kx, pointer to x[iy, ix, 0] or null outside) for the output pixel (oy, ox).
  template <class Tap>
  void for_each_tap(std::int64_t oy, std::int64_t ox, const Tap& tap) const {
    for (std::int64_t ky = 0; ky < conv.kernel.height; ++ky) {
      const std::int64_t iy = oy * conv.stride.height + ky * conv.dilation.height - pad.height;
      for (std::int64_t kx = 0; kx < conv.kernel.width; ++kx) {
        const std::int64_t ix = ox * conv.stride.width + kx * conv.dilation.width - pad.width;
        const bool inside = iy >= 0 && iy < in[1] && ix >= 0 && ix < in[2];
        tap(ky, kx, inside ? x + (iy * in[2] + ix) * in[3] : nullptr);
      }
    }
  }

  // Writes the patches of `rows` output pixels from `row` on as rows [KH, KW, C / groups] ("im2col").
  void gather(std::int64_t row, std::int64_t rows, std::int64_t group, float* to) const {
    const std::int64_t channels = in[3] / conv.groups;
    for (std::int64_t pixel = row; pixel < row + rows; ++pixel) {
      const std::int64_t oy = pixel / out[2], ox = pixel % out[2];
      if (lines_are_whole(ox)) {
        to = gather_lines(oy, ox, to);
        continue;
      }
      for_each_tap(oy, ox, [&](std::int64_t, std::int64_t, const float* from) {
        if (from != nullptr) {
          std::copy_n(from + group * channels, channels, to);
        } else {
          std::fill_n(to, channels, 0.0F);
        }
        to += channels;
      });
    }
  }

  // Whether each line of taps of the patch is one piece of memory inside the picture.
  bool lines_are_whole(std::int64_t ox) const {
    const std::int64_t ix = ox * conv.stride.width - pad.width;
    return conv.groups == 1 && conv.dilation.width == 1 && ix >= 0 && ix + conv.kernel.width <= in[2];
  }

  float* gather_lines(std::int64_t oy, std::int64_t ox, float* to) const {
    const std::int64_t length = conv.kernel.width * in[3];
    const float* column = x + (ox * conv.stride.width - pad.width) * in[3];
    for (std::int64_t ky = 0; ky < conv.kernel.height; ++ky) {
      const std::int64_t iy = oy * conv.stride.height + ky * conv.dilation.height - pad.height;
      const bool inside = iy >= 0 && iy < in[1];
      to = inside ? std::copy_n(column + iy * in[2] * in[3], length, to) : std::fill_n(to, length, 0.0F);
    }
    return to;
  }
};

void forward_as_matmul(const Picture& picture, const ForwardArguments& arguments, float* y, const float* residual) {
  const Conv2d& conv = picture.conv;
  const std::int64_t group_in = picture.in[3] / conv.groups;
  const std::int64_t group_out = conv.out_channels / conv.groups;
  const bool in_place = conv.kernel == Size2(1) && conv.stride == Size2(1) && picture.pad == Size2(0) &&
                        picture.out[1] == picture.in[1] && picture.out[2] == picture.in[2];
  for (std::int64_t group = 0; group < conv.groups; ++group) {
    Matmul product{.m = picture.out[1] * picture.out[2],
                   .n = group_out,
                   .k = conv.kernel.height * conv.kernel.width * group_in,
                   .b = nullptr,
                   .c = y + group * group_out,
                   .c_stride = conv.out_channels,
                   .epilogue = {}};
    product.b = arguments.weights[0].data() + group * group_out * product.k;
    product.epilogue = {.bias = conv.bias ? arguments.weights[1].data() + group * group_out : nullptr,
                        .residual = residual == nullptr ? nullptr : residual + group * group_out,
                        .activation = conv.activation};
    const auto rows = [&](std::int64_t row, std::int64_t count, float* buffer, std::int64_t& stride) -> const float* {
      if (in_place) {
        stride = picture.in[3];
        return picture.x + row * stride + group * group_in;
      }
      picture.gather(row, count, group, buffer);
      return buffer;
    };
    matmul(product, rows, arguments.scratch.data(), arguments.threads);
  }
}

void forward_depthwise(const Picture& picture, const ForwardArguments& arguments, float* y, const float* residual) {
  const Conv2d& conv = picture.conv;
  const std::int64_t channels = picture.in[3];
  const float* filters = arguments.weights[0].data();
  arguments.threads.for_each(picture.out[1], [&](std::int64_t oy, int) {
    for (std::int64_t ox = 0; ox < picture.out[2]; ++ox) {
      const std::int64_t at = (oy * picture.out[2] + ox) * channels;
      ArrayMap sum(y + at, channels);
      sum.setZero();
      picture.for_each_tap(oy, ox, [&](std::int64_t ky, std::int64_t kx, const float* from) {
        if (from == nullptr) return;
        const float* filter = filters + (ky * conv.kernel.width + kx) * channels;
        sum += ConstArrayMap(from, channels) * ConstArrayMap(filter, channels);
      });
      if (conv.bias) sum += ConstArrayMap(arguments.weights[1].data(), channels);
      if (residual != nullptr) sum += ConstArrayMap(residual + at, channels);
      activate(conv.activation, {y + at, static_cast<std::size_t>(channels)});
    }
  });
}

}  // namespace

Size2 Conv2d::leading_padding(const Shape& in) const {
  if (!padding_same) return padding;
  return {same_padding(in[1], kernel.height, stride.height, dilation.height) / 2,
          same_padding(in[2], kernel.width, stride.width, dilation.width) / 2};
}

Shape Conv2d::output_shape(Shapes in) const {
  expect_inputs(kName, in, residual ? 2 : 1, 4);
  const Shape& x = in[0];
  if (groups < 1 || x[3] % groups != 0 || out_channels < 1 || out_channels % groups != 0) {
    shape_error(kName, std::to_string(groups) + " groups do not divide the channels", in);
  }
  if (std::min({kernel.height, kernel.width, stride.height, stride.width, dilation.height, dilation.width}) < 1 ||
      std::min(padding.height, padding.width) < 0) {
    shape_error(kName, "kernel, stride and dilation must be positive and padding not negative", in);
  }
  const auto size = [&](std::int64_t length, std::int64_t k, std::int64_t s, std::int64_t d, std::int64_t pad) {
    if (padding_same) return (length + s - 1) / s;
    if (length + 2 * pad < extent(k, d)) shape_error(kName, "the kernel is larger than the padded picture", in);
    return (length + 2 * pad - extent(k, d)) / s + 1;
  };
  const Shape out{x[0], size(x[1], kernel.height, stride.height, dilation.height, padding.height),
                  size(x[2], kernel.width, stride.width, dilation.width, padding.width), out_channels};
  if (residual && in[1] != out) shape_error(kName, "the residual is not like the output " + to_string(out), in);
  return out;
}

std::vector<WeightSpec> Conv2d::weights(Shapes in) const {
  const Shape filters{out_channels, in[0][3] / groups, kernel.height, kernel.width};
  std::vector<WeightSpec> specs{{"weight", filters, seeded_by_fan_in(filters)}};
  if (bias) specs.push_back({"bias", {out_channels}, kSeededBias});
  return specs;
}

std::int64_t Conv2d::macs(Shapes in, const Shape& out) const {
  return out.count() * kernel.height * kernel.width * (in[0][3] / groups);
}

std::vector<Tensor> Conv2d::prepare(std::vector<Tensor> weights) const {
  if (folded_batch_norm) {
    const bool had_bias = weights.size() == 6;
    weights = fold_batch_norm(std::move(weights), had_bias, *folded_batch_norm);
  }
  const Shape& shape = weights[0].shape();
  if (groups > 1 && shape[1] == 1 && out_channels == groups) {
    weights[0] = depthwise_filters(weights[0]);
  } else if (kernel != Size2(1)) {
    weights[0] = filters_last_channel(std::move(weights[0]));
  }
  return weights;
}

std::int64_t Conv2d::scratch(Shapes in, int threads) const {
  if (depthwise(in[0])) return 0;
  const Shape out = output_shape(in);
  return threads * matmul_tile_rows(out[1] * out[2]) * kernel.height * kernel.width * (in[0][3] / groups);
}

void Conv2d::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    const Picture picture{*this, x.slice(n).data(), x.slice(n).shape(), arguments.output.slice(n).shape(),
                          leading_padding(x.shape())};
    float* y = arguments.output.slice(n).data();
    const float* added = residual ? arguments.inputs[1].slice(n).data() : nullptr;
    if (depthwise(x.shape())) {
      forward_depthwise(picture, arguments, y, added);
    } else {
      forward_as_matmul(picture, arguments, y, added);
    }
  }
}

std::vector<Tensor> fold_batch_norm(std::vector<Tensor> tensors, bool has_bias, float epsilon) {
  const std::size_t norm = has_bias ? 2 : 1;
  const Tensor &gamma = tensors[norm], &beta = tensors[norm + 1], &mean = tensors[norm + 2],
               &variance = tensors[norm + 3];
  const std::int64_t channels = gamma.shape()[0];
  Tensor& weight = tensors[0];
  Tensor bias(Shape{channels});
  const std::int64_t per_channel = weight.shape().count() / channels;
  for (std::int64_t o = 0; o < channels; ++o) {
    const double scale = double{gamma.data()[o]} / std::sqrt(double{variance.data()[o]} + double{epsilon});
    float* row = weight.data() + o * per_channel;
    for (std::int64_t i = 0; i < per_channel; ++i) row[i] = static_cast<float>(double{row[i]} * scale);
    const double old = has_bias ? double{tensors[1].data()[o]} : 0.0;
    bias.data()[o] = static_cast<float>(double{beta.data()[o]} + (old - double{mean.data()[o]}) * scale);
  }
  std::vector<Tensor> folded;
  folded.push_back(std::move(weight));
  folded.push_back(std::move(bias));
  return folded;
}

}  // namespace tessera
