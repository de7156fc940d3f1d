#include "tests/cuda/emulated/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tests/cuda/emulated/fault.h"

namespace tessera::emulated {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kDynamicBytes = std::size_t{232} << 10;  // more than any device has
constexpr std::size_t kStaticBytes = std::size_t{64} << 10;
constexpr std::size_t kStaticLimit = std::size_t{48} << 10;  // what nvcc allows
constexpr std::size_t kGuard = 64;
constexpr int kGuardByte = 0xA5;
constexpr int kPoison = 0xFF;

bool untouched(const std::byte* begin, std::size_t bytes) {
  return std::all_of(begin, begin + bytes, [](std::byte value) { return value == std::byte{kGuardByte}; });
}

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

SharedMemory::SharedMemory() {
  void* memory = mmap(nullptr, kDynamicBytes + kPage + kStaticBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(memory != MAP_FAILED, "there is no memory for shared memory");
  memory_ = static_cast<std::byte*>(memory);
  mprotect(memory_ + kDynamicBytes, kPage, PROT_NONE);
}

SharedMemory::~SharedMemory() { munmap(memory_, kDynamicBytes + kPage + kStaticBytes); }

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
  dynamic_bytes_ = dynamic_bytes;
  dynamic_ = memory_ + kDynamicBytes - round_up(dynamic_bytes, 16);
  std::memset(dynamic_ - kGuard, kGuardByte, kGuard);
  std::memset(dynamic_, kPoison, dynamic_bytes);
  std::memset(dynamic_ + dynamic_bytes, kGuardByte, round_up(dynamic_bytes, 16) - dynamic_bytes);
  slots_.clear();
  static_bytes_ = 0;
}

void SharedMemory::end_block(const std::string& kernel) const {
  require(untouched(dynamic_ - kGuard, kGuard), kernel + " wrote before its dynamic shared memory");
  require(untouched(dynamic_ + dynamic_bytes_, round_up(dynamic_bytes_, 16) - dynamic_bytes_),
          kernel + " wrote past its dynamic shared memory of " + std::to_string(dynamic_bytes_) + " bytes");
  for (const auto& [key, slot] : slots_) {
    const std::byte* begin = memory_ + kDynamicBytes + kPage + slot.offset;
    require(untouched(begin + slot.bytes, kGuard),
            kernel + " wrote past a shared array of " + std::to_string(slot.bytes) + " bytes");
  }
}

std::byte* SharedMemory::array(const void* key, std::size_t bytes) {
  std::byte* base = memory_ + kDynamicBytes + kPage;
  if (const auto found = slots_.find(key); found != slots_.end()) return base + found->second.offset;
  const Slot slot{static_bytes_, bytes};
  static_bytes_ += round_up(bytes + kGuard, 64);
  require(static_bytes_ <= kStaticLimit, "a kernel has more than 48 KiB of static shared memory");
  std::memset(base + slot.offset, kPoison, bytes);
  std::memset(base + slot.offset + bytes, kGuardByte, kGuard);
  slots_.emplace(key, slot);
  return base + slot.offset;
}

}  // namespace tessera::emulated
