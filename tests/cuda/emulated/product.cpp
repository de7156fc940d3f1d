#include "tests/cuda/emulated/product.h"

#include <immintrin.h>

#include <Eigen/Core>
#include <bit>
#include <cstring>

namespace tessera::emulated {

namespace {

using Columns = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

std::uint16_t half_at(const void* data, std::int64_t index) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, static_cast<const std::byte*>(data) + 2 * index, 2);
  return bits;
}

// A copy as float32, rows of `b` (or columns of `a`) made contiguous.
Columns gathered(std::int64_t rows, std::int64_t columns, const Matrix& from, bool tf32) {
  Columns to(rows, columns);
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const float value = load(from.type, from.data, row * from.row_step + column * from.column_step);
      to(row, column) = tf32 ? rounded_to_tf32(value) : value;
    }
  }
  return to;
}

// Picture n of group g as rows of pixels that each output pixel sees: [OH * OW, KH * KW * C / groups].
Rows patches(const Picture& x, std::int64_t n, std::int64_t first, std::int64_t channels, const Picture& w,
             std::int64_t out_height, std::int64_t out_width, const Convolution& convolution) {
  const std::int64_t kernel_height = w.size[2], kernel_width = w.size[3];
  Rows to = Rows::Zero(out_height * out_width, kernel_height * kernel_width * channels);
  for (std::int64_t oy = 0; oy < out_height; ++oy) {
    for (std::int64_t ox = 0; ox < out_width; ++ox) {
      for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
        const std::int64_t iy = oy * convolution.stride[0] + ky * convolution.dilation[0] - convolution.before[0];
        if (iy < 0 || iy >= x.size[2]) continue;
        for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
          const std::int64_t ix = ox * convolution.stride[1] + kx * convolution.dilation[1] - convolution.before[1];
          if (ix < 0 || ix >= x.size[3]) continue;
          const std::int64_t at = n * x.step[0] + first * x.step[1] + iy * x.step[2] + ix * x.step[3];
          float* const row = &to(oy * out_width + ox, (ky * kernel_width + kx) * channels);
          for (std::int64_t c = 0; c < channels; ++c) {
            const float value = load(x.type, x.data, at + c * x.step[1]);
            row[c] = convolution.tf32 ? rounded_to_tf32(value) : value;
          }
        }
      }
    }
  }
  return to;
}

// The filters of some output channels: [O, KH * KW * C / groups].
Rows filters(const Picture& w, std::int64_t first, std::int64_t count, bool tf32) {
  const std::int64_t channels = w.size[1], kernel_height = w.size[2], kernel_width = w.size[3];
  Rows to(count, kernel_height * kernel_width * channels);
  for (std::int64_t o = 0; o < count; ++o) {
    for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
      for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const float value =
              load(w.type, w.data, (first + o) * w.step[0] + c * w.step[1] + ky * w.step[2] + kx * w.step[3]);
          to(o, (ky * kernel_width + kx) * channels + c) = tf32 ? rounded_to_tf32(value) : value;
        }
      }
    }
  }
  return to;
}

}  // namespace

float load(Type type, const void* data, std::int64_t index) {
  switch (type) {
    case Type::kF16:
      return _cvtsh_ss(half_at(data, index));
    case Type::kBf16:
      return std::bit_cast<float>(std::uint32_t{half_at(data, index)} << 16);
    default:
      break;
  }
  float value = 0;
  std::memcpy(&value, static_cast<const std::byte*>(data) + 4 * index, 4);
  return value;
}

void store(Type type, void* data, std::int64_t index, float value) {
  auto* const bytes = static_cast<std::byte*>(data);
  if (type == Type::kF32) {
    std::memcpy(bytes + 4 * index, &value, 4);
    return;
  }
  const std::uint16_t bits =
      type == Type::kBf16 ? to_bf16(value) : static_cast<std::uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
  std::memcpy(bytes + 2 * index, &bits, 2);
}

float rounded(Type type, float value) {
  std::byte bytes[4];
  store(type, bytes, 0, value);
  return load(type, bytes, 0);
}

float rounded_to_tf32(float value) {
  if (value != value) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0xFFFU + (bits >> 13 & 1U)) & ~0x1FFFU);
}

std::vector<float> multiply(std::int64_t m, std::int64_t n, std::int64_t k, const Matrix& a, const Matrix& b,
                            bool tf32) {
  std::vector<float> result(static_cast<std::size_t>(m * n));
  Eigen::Map<Columns> product(result.data(), m, n);
  const Columns right = gathered(k, n, b, tf32);
  if (a.column_step == 1) {  // transposed in memory: read along its rows
    const Columns left = gathered(k, m, {a.type, a.data, a.column_step, a.row_step}, tf32);
    product.noalias() = left.transpose() * right;
  } else {
    product.noalias() = gathered(m, k, a, tf32) * right;
  }
  return result;
}

std::vector<float> convolve(const Picture& x, const Picture& w, std::int64_t out_height, std::int64_t out_width,
                            const Convolution& convolution) {
  const std::int64_t pictures = x.size[0], outputs = w.size[0], groups = x.size[1] / w.size[1];
  const std::int64_t channels = w.size[1], group_outputs = outputs / groups, pixels = out_height * out_width;
  std::vector<float> result(static_cast<std::size_t>(pictures * pixels * outputs));
  for (std::int64_t g = 0; g < groups; ++g) {
    const Rows weights = filters(w, g * group_outputs, group_outputs, convolution.tf32);
    for (std::int64_t n = 0; n < pictures; ++n) {
      const Rows seen = patches(x, n, g * channels, channels, w, out_height, out_width, convolution);
      Eigen::Map<Rows, 0, Eigen::OuterStride<>> y(result.data() + n * pixels * outputs + g * group_outputs, pixels,
                                                  group_outputs, Eigen::OuterStride<>(outputs));
      y.noalias() = seen * weights.transpose();
    }
  }
  return result;
}

}  // namespace tessera::emulated
