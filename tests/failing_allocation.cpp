#include "tests/failing_allocation.h"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace tessera {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> left{kNever};  // until one fails, once

void* allocate(std::size_t bytes) {
  if (left.load() != kNever && left.fetch_sub(1) == 0) {
    left = kNever;
    throw std::bad_alloc();
  }
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void fail_allocation(std::int64_t after) { left = after; }
bool allocation_failed() { return left.exchange(kNever) == kNever; }

}  // namespace tessera

void* operator new(std::size_t bytes) { return tessera::allocate(bytes); }
void* operator new[](std::size_t bytes) { return tessera::allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
