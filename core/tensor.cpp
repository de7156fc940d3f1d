#include "core/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/error.h"

namespace tessera {

namespace {
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = 2 << 20;
}  // namespace

void AlignedDelete::operator()(std::byte* memory) const noexcept { std::free(memory); }

AlignedBytes allocate_aligned(std::size_t bytes) {
  if (bytes > SIZE_MAX - kAlignment) throw ResourceError("cannot allocate " + std::to_string(bytes) + " bytes");
  const std::size_t rounded = std::max<std::size_t>(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  const std::size_t alignment = rounded >= kHugePage ? kHugePage : kAlignment;
  void* memory = nullptr;
  if (::posix_memalign(&memory, alignment, rounded) != 0) {
    throw ResourceError("out of memory: " + std::to_string(rounded) + " bytes could not be allocated");
  }
  return AlignedBytes(static_cast<std::byte*>(memory));
}

void prefer_huge_pages(std::span<std::byte> memory) noexcept {
  if (memory.size() >= kHugePage) ::madvise(memory.data(), memory.size(), MADV_HUGEPAGE);
}

Tensor::Tensor(const Shape& shape)
    : shape_(shape), memory_(allocate_aligned(static_cast<std::size_t>(shape.count()) * sizeof(float))) {}

Tensor Tensor::zeros(const Shape& shape) { return filled(shape, 0.0F); }

Tensor Tensor::filled(const Shape& shape, float value) {
  Tensor tensor(shape);
  std::ranges::fill(tensor.values(), value);
  return tensor;
}

Tensor Tensor::from(std::span<const float> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.count()) {
    throw InternalError(std::to_string(values.size()) + " values for a tensor of shape " + to_string(shape));
  }
  Tensor tensor(shape);
  std::ranges::copy(values, tensor.data());
  return tensor;
}

Tensor Tensor::clone() const { return empty() ? Tensor() : from(values(), shape_); }

}  // namespace tessera
