#pragma once
// The arithmetic of the libraries' stand-ins: matrix products and convolutions in float32, of operands in the types
// that the device keeps them in. Compiled without sanitizers: the operands' bounds have been checked before.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tessera::emulated {

enum class Type : std::uint8_t { kF32, kF16, kBf16 };
constexpr std::size_t bytes_of(Type type) { return type == Type::kF32 ? 4 : 2; }

// Element `index` of an array of a type.
float load(Type type, const void* data, std::int64_t index);
void store(Type type, void* data, std::int64_t index, float value);
// What remains of a float32 that goes through a type; TF32 keeps 10 bits of mantissa.
float rounded(Type type, float value);
float rounded_to_tf32(float value);

// Steps are in elements.
struct Matrix {
  Type type = Type::kF32;
  const void* data = nullptr;
  std::int64_t row_step = 0, column_step = 0;
};

// a [m, k] * b [k, n], column-major [m, n]. `tf32`: operands are rounded to it first.
std::vector<float> multiply(std::int64_t m, std::int64_t n, std::int64_t k, const Matrix& a, const Matrix& b,
                            bool tf32);

// A tensor [N, C, H, W] by its steps.
struct Picture {
  Type type = Type::kF32;
  const void* data = nullptr;
  std::int64_t size[4] = {};
  std::int64_t step[4] = {};
};
struct Convolution {
  std::int64_t stride[2], before[2], dilation[2];  // padding before; what is after follows from the output's size
  bool tf32 = false;
};
// x [N, C, H, W], w [O, C / groups, KH, KW] -> [N, OH, OW, O] in that order.
std::vector<float> convolve(const Picture& x, const Picture& w, std::int64_t out_height, std::int64_t out_width,
                            const Convolution& convolution);

}  // namespace tessera::emulated
