#include "core/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = 2 << 20;
constexpr std::size_t kSmallestKept = 1 << 20;
}  // namespace

void AlignedDelete::operator()(std::byte* memory) const noexcept {
  if (pool != nullptr) {
    pool->put_back(memory, bytes);
  } else {
    std::free(memory);
  }
}

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

void expect_writes(std::span<std::byte> memory) noexcept {
#ifdef MADV_POPULATE_WRITE  // Linux 5.14
  constexpr std::size_t kPage = 4096, kFewestPages = 4;
  if (memory.size() < kFewestPages * kPage) return;
  const std::size_t before = reinterpret_cast<std::uintptr_t>(memory.data()) % kPage;
  ::madvise(memory.data() - before, before + memory.size(), MADV_POPULATE_WRITE);
#endif
}

AlignedBytes MemoryPool::allocate(std::size_t bytes) {
  if (bytes < kSmallestKept) return allocate_aligned(bytes);
  std::multimap<std::size_t, AlignedBytes>::node_type found;
  {
    const std::lock_guard lock(mutex_);
    if (const auto fits = kept_.lower_bound(bytes); fits != kept_.end()) {
      found = kept_.extract(fits);
    } else if (!kept_.empty()) {
      kept_.erase(std::prev(kept_.end()));  // too small: the larger one takes its place
    }
  }
  if (found.empty()) return {allocate_aligned(bytes).release(), AlignedDelete{shared_from_this(), bytes}};
  return {found.mapped().release(), AlignedDelete{shared_from_this(), found.key()}};
}

void MemoryPool::put_back(std::byte* memory, std::size_t bytes) noexcept {
  AlignedBytes owned(memory);  // goes to the system, should there be no room to note it
  try {
    const std::lock_guard lock(mutex_);
    kept_.emplace(bytes, std::move(owned));
  } catch (const std::bad_alloc&) {
  }
}

namespace {
std::size_t bytes_of(const Shape& shape) { return static_cast<std::size_t>(shape.count()) * sizeof(float); }
}  // namespace

Tensor::Tensor(const Shape& shape) : shape_(shape), memory_(allocate_aligned(bytes_of(shape))) {}

Tensor::Tensor(const Shape& shape, MemoryPool& pool) : shape_(shape), memory_(pool.allocate(bytes_of(shape))) {}

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

Tensor Tensor::reshaped(const Shape& shape) && {
  if (shape.count() != shape_.count()) {
    throw InternalError("a tensor of shape " + to_string(shape_) + " cannot have the shape " + to_string(shape));
  }
  Tensor tensor(std::move(*this));
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::clone() const { return empty() ? Tensor() : from(values(), shape_); }

}  // namespace tessera
