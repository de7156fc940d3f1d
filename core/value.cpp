#include "core/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace tessera {

ValueType quantisation_of(const ValueRange& range) {
  constexpr float kSteps = 255;
  const float low = std::min(0.0F, range.low), high = std::max(0.0F, range.high);
  const float scale = high / kSteps - low / kSteps;  // each on its own, as their difference might overflow
  if (scale < std::numeric_limits<float>::min()) return {.scale = 1};  // all values are zero, or as good as
  return {.scale = scale, .zero = static_cast<std::int32_t>(std::lround(-low / scale))};
}

namespace {

// IEEE 754 binary16: sign, five bits of exponent (bias 15), ten of fraction.
float half_to_float(std::uint16_t half) {
  constexpr int kFractionBits = 10, kBias = 15, kSpecial = 31;
  const int exponent = (half >> kFractionBits) & kSpecial;
  const int fraction = half & ((1 << kFractionBits) - 1);
  float magnitude = 0;
  if (exponent == kSpecial) {
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), 1 - kBias - kFractionBits);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction + (1 << kFractionBits)), exponent - kBias - kFractionBits);
  }
  return (half & 0x8000U) != 0 ? -magnitude : magnitude;
}

}  // namespace

Tensor to_f32(const ConstValueView& value) {
  Tensor result(value.shape());
  const auto read = [&](auto example, auto decode) {
    const std::byte* at = value.bytes();
    for (float& to : result.values()) {
      std::memcpy(&example, at, sizeof(example));
      to = decode(example);
      at += sizeof(example);
    }
  };
  switch (value.type().dtype) {
    case DType::kF32:
      read(float{}, [](float x) { return x; });
      break;
    case DType::kBf16:  // the upper half of a float32
      read(std::uint16_t{}, [](std::uint16_t x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); });
      break;
    case DType::kF16:
      read(std::uint16_t{}, half_to_float);
      break;
    case DType::kU8:
      read(std::uint8_t{}, [&](std::uint8_t x) {
        return value.type().scale * static_cast<float>(std::int32_t{x} - value.type().zero);
      });
      break;
    case DType::kI32:
    case DType::kI64:
      throw InternalError("indices stand for no float32 values");
  }
  return result;
}

}  // namespace tessera
