#pragma once
// A value between two layers, in the type in which it is kept in memory. Layers compute in float32; a backend may keep
// what goes from one of its kernels to another in fewer bits.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/tensor.h"

namespace tessera {

// Integers are indices (token ids), never numbers that layers compute with: they are a graph's inputs alone.
enum class DType : std::uint8_t { kF32, kBf16, kU8, kF16, kI32, kI64 };

constexpr std::int64_t bytes_of(DType dtype) {
  constexpr std::int64_t kBytes[] = {4, 2, 1, 2, 4, 8};
  return kBytes[static_cast<std::size_t>(dtype)];
}
constexpr bool is_index(DType dtype) { return dtype == DType::kI32 || dtype == DType::kI64; }
constexpr std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kBf16:
      return "bf16";
    case DType::kU8:
      return "u8";
    case DType::kF16:
      return "f16";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
  }
  return "";
}

// How the values of one tensor are kept. One scale holds for the whole tensor: x = scale * (q - zero), q in 0 to 255. A
// tensor of another type has a scale too when its range has been measured; 0: not measured.
struct ValueType {
  DType dtype = DType::kF32;
  float scale = 0;
  std::int32_t zero = 0;
};

// For each value of a graph, by name, the range that its int8 form covers: the least and greatest value seen in
// calibration, or a narrower range where outliers are clipped.
struct ValueRange {
  float low = 0, high = 0;
};
using ValueRanges = std::map<std::string, ValueRange, std::less<>>;
// A float32 type with the finest scale that covers the range and zero, with zero an exact step.
ValueType quantisation_of(const ValueRange& range);

// A dense row-major view of values of any type. Copying copies the pointer. Valid as long as the memory it refers to.
template <class Byte>
class BasicValue {
 public:
  using Float = std::conditional_t<std::is_const_v<Byte>, const float, float>;

  BasicValue() = default;
  BasicValue(Byte* data, const ValueType& type, const Shape& shape) : data_(data), type_(type), shape_(shape) {}
  BasicValue(const TensorView<Float>& view)  // NOLINT(google-explicit-constructor): float32 is the usual type
      : data_(reinterpret_cast<Byte*>(view.data())), shape_(view.shape()) {}
  template <class U>
  requires(std::is_same_v<const U, Byte>)
      BasicValue(const BasicValue<U>& other)  // NOLINT(google-explicit-constructor): a mutable view is readable
      : data_(other.bytes()), type_(other.type()), shape_(other.shape()) {}

  Byte* bytes() const noexcept { return data_; }
  // The address of value `index`, counted row-major.
  Byte* at(std::int64_t index) const noexcept { return data_ + index * bytes_of(type_.dtype); }
  const ValueType& type() const noexcept { return type_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t count() const { return shape_.count(); }
  // A view of float32 values. Throws InternalError for other types.
  TensorView<Float> f32() const {
    if (type_.dtype != DType::kF32) {
      throw InternalError("a kernel that takes f32 was given " + std::string(to_string(type_.dtype)));
    }
    return {reinterpret_cast<Float*>(data_), shape_};
  }

 private:
  Byte* data_ = nullptr;
  ValueType type_;
  Shape shape_;
};

using ValueView = BasicValue<std::byte>;
using ConstValueView = BasicValue<const std::byte>;

// The float32 values that a view stands for, in memory of their own.
Tensor to_f32(const ConstValueView& value);

}  // namespace tessera
