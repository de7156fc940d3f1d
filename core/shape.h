#pragma once
// Shape: up to five dimensions, outermost first, row-major. Pictures are [N, H, W, C], tokens [N, T, C].

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tessera {

class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  // Throws InternalError for more than kMaxRank dimensions or a negative one.
  Shape(std::initializer_list<std::int64_t> dimensions);
  explicit Shape(std::span<const std::int64_t> dimensions);

  int rank() const noexcept { return rank_; }
  // Negative indices count from the innermost dimension. Throws InternalError when out of range.
  std::int64_t operator[](int index) const { return dimensions_[checked(index)]; }
  std::int64_t& operator[](int index) { return dimensions_[checked(index)]; }
  // Product of all dimensions (1 for rank 0). Throws InternalError when it does not fit into 63 bits.
  std::int64_t count() const;
  std::span<const std::int64_t> dimensions() const noexcept {
    return {dimensions_.data(), static_cast<std::size_t>(rank_)};
  }
  bool operator==(const Shape&) const = default;

 private:
  // In the header, since inner loops ask for dimensions.
  std::size_t checked(int index) const {
    const int at = index < 0 ? rank_ + index : index;
    if (at < 0 || at >= rank_) refuse(index);
    return static_cast<std::size_t>(at);
  }
  [[noreturn]] void refuse(int index) const;

  std::array<std::int64_t, kMaxRank> dimensions_{};
  int rank_ = 0;
};

// "[1, 224, 224, 3]"
std::string to_string(const Shape& shape);

}  // namespace tessera
