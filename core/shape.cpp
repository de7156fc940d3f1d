#include "core/shape.h"

#include "core/error.h"

namespace tessera {

Shape::Shape(std::initializer_list<std::int64_t> dimensions)
    : Shape(std::span<const std::int64_t>(dimensions.begin(), dimensions.size())) {}

Shape::Shape(std::span<const std::int64_t> dimensions) {
  if (dimensions.size() > kMaxRank) {
    throw InternalError("shape of rank " + std::to_string(dimensions.size()) + ": the most is " +
                        std::to_string(kMaxRank));
  }
  for (const std::int64_t dimension : dimensions) {
    if (dimension < 0) throw InternalError("shape with a negative dimension " + std::to_string(dimension));
    dimensions_[static_cast<std::size_t>(rank_++)] = dimension;
  }
}

std::int64_t Shape::count() const {
  std::int64_t count = 1;
  for (const std::int64_t dimension : dimensions()) {
    if (__builtin_mul_overflow(count, dimension, &count)) {
      throw InternalError("shape " + to_string(*this) + " has more elements than 63 bits can count");
    }
  }
  return count;
}

void Shape::refuse(int index) const {
  throw InternalError("dimension " + std::to_string(index) + " of shape " + to_string(*this));
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t dimension : shape.dimensions()) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

}  // namespace tessera
