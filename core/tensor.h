#pragma once
// Tensor owns its memory, TensorView refers to memory that it does not own. Both are dense and row-major.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <type_traits>

#include "core/shape.h"

namespace tessera {

// A dense row-major view. Copying copies the pointer; T is const for a read-only view. Valid as long as the memory it
// refers to.
template <class T>
class TensorView {
 public:
  TensorView() = default;
  TensorView(T* data, const Shape& shape) : data_(data), shape_(shape) {}
  // A mutable view is a read-only view as well.
  template <class U>
  requires(std::is_same_v<const U, T>)
      TensorView(const TensorView<U>& other)  // NOLINT(google-explicit-constructor): as span<U> to span<const U>
      : data_(other.data()), shape_(other.shape()) {}

  T* data() const noexcept { return data_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t count() const { return shape_.count(); }
  std::span<T> values() const { return {data_, static_cast<std::size_t>(shape_.count())}; }
  // The same values under another shape of the same count.
  TensorView reshaped(const Shape& shape) const { return {data_, shape}; }
  // Elements of one entry along the outermost dimension.
  std::int64_t stride0() const { return shape_[0] == 0 ? 0 : count() / shape_[0]; }
  // Entry `index` of the outermost dimension, with that dimension kept as 1.
  TensorView slice(std::int64_t index) const {
    Shape one = shape_;
    one[0] = 1;
    return {data_ + index * stride0(), one};
  }

 private:
  T* data_ = nullptr;
  Shape shape_;
};

using View = TensorView<float>;
using ConstView = TensorView<const float>;

class MemoryPool;

// Memory of `bytes` bytes aligned to 64 (a cache line and an AVX-512 register), not initialised. Throws ResourceError,
// naming the size, when there is not enough.
struct AlignedDelete {
  std::shared_ptr<MemoryPool> pool = nullptr;  // where it goes back to; null: to the system
  std::size_t bytes = 0;                       // of what goes back to a pool
  void operator()(std::byte* memory) const noexcept;
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
AlignedBytes allocate_aligned(std::size_t bytes);
// Asks for huge pages. For memory of allocate_aligned() that has not been touched, is small, and is walked again and
// again, as an arena is by every layer. Not for weights: they are read once a run, in order, and runs are as fast
// without, while the system may have to move other memory first, which took up to a second for the weights of ViT-B/16.
// It is a request; whether it is granted changes nothing but speed.
void prefer_huge_pages(std::span<std::byte> memory) noexcept;

// For new memory that is about to be written whole: asks for all pages at once, instead of each when it is touched. A
// request as well.
void expect_writes(std::span<std::byte> memory) noexcept;

// For large memory that comes and goes: the pool keeps what is given back for the next request that is no larger,
// whereas the system would clear it each time. Thread-safe. The pool and what it keeps are freed when its last owner
// and all memory taken from it are gone.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  static std::shared_ptr<MemoryPool> make() { return std::shared_ptr<MemoryPool>(new MemoryPool); }
  // As allocate_aligned().
  AlignedBytes allocate(std::size_t bytes);

 private:
  friend struct AlignedDelete;
  MemoryPool() = default;
  void put_back(std::byte* memory, std::size_t bytes) noexcept;

  std::mutex mutex_;
  std::multimap<std::size_t, AlignedBytes> kept_;  // by size
};

// An owning float32 tensor, 64-byte aligned, move-only (copy with clone()). Not initialised unless said.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape);
  // In memory taken from a pool.
  Tensor(const Shape& shape, MemoryPool& pool);
  static Tensor zeros(const Shape& shape);
  static Tensor filled(const Shape& shape, float value);
  static Tensor from(std::span<const float> values, const Shape& shape);

  Tensor clone() const;
  // The same values under another shape of the same count. Throws InternalError for another count.
  Tensor reshaped(const Shape& shape) &&;
  const Shape& shape() const noexcept { return shape_; }
  bool empty() const noexcept { return memory_ == nullptr; }
  float* data() noexcept { return reinterpret_cast<float*>(memory_.get()); }
  const float* data() const noexcept { return reinterpret_cast<const float*>(memory_.get()); }
  View view() { return {data(), shape_}; }
  ConstView view() const { return {data(), shape_}; }
  std::span<float> values() { return view().values(); }
  std::span<const float> values() const { return view().values(); }

 private:
  Shape shape_;
  AlignedBytes memory_;
};

}  // namespace tessera
