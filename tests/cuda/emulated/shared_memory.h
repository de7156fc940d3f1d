#pragma once
// The shared memory of one block: filled with 0xFF as each block begins, with guards on both sides.

#include <cstddef>
#include <map>
#include <string>

namespace tessera::emulated {

class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Fills what the block may use with 0xFF and the guards with theirs.
  void begin_block(std::size_t dynamic_bytes);
  // Faults when a guard was written.
  void end_block(const std::string& kernel) const;
  // The dynamic part. It ends at a page that cannot be touched.
  std::byte* dynamic() const { return dynamic_; }
  std::byte* array(const void* key, std::size_t bytes);

 private:
  struct Slot {
    std::size_t offset, bytes;
  };
  std::byte* memory_;  // dynamic part, a page that cannot be touched, static part
  std::byte* dynamic_ = nullptr;
  std::size_t dynamic_bytes_ = 0;
  std::map<const void*, Slot> slots_;
  std::size_t static_bytes_ = 0;
};

}  // namespace tessera::emulated
