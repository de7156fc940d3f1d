#pragma once
// Device memory and pinned memory. Device memory can be touched while device work runs, at no other time; a fresh
// allocation is filled with 0xFF (NaN in every float type); no address is ever used twice. Pinned memory cannot be
// touched while a copy that writes it is under way, nor written while one reads it.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tessera::emulated {

struct Allocation {
  std::byte* pages = nullptr;  // with a page that cannot be touched before and after
  std::size_t page_bytes = 0;
  std::byte* begin = nullptr;  // 256-byte aligned; ends at the last page but for that alignment
  std::size_t bytes = 0;
  std::int64_t number = 0;  // counted from 1
  bool pinned = false;
  bool live = true;
};

class Memory {
 public:
  static Memory& instance();

  // Null when there is none.
  void* allocate(std::size_t bytes, bool pinned);
  // Faults for an address that was not allocated or has been freed.
  void release(void* address, bool pinned);
  // The live allocation that the address lies in, or null.
  const Allocation* find(const void* address) const;
  // Faults unless the bytes lie in one live device allocation. `what` names the operand.
  void check_device(const void* address, std::size_t bytes, const std::string& what) const;
  // Faults when bytes beside an allocation were written.
  void check_guards(const void* address, const std::string& who) const;

  // The device may touch its memory between these.
  void open();
  void close();
  bool opened() const { return open_; }

  // A copy is under way that writes (or reads) these bytes of pinned memory; it has ended.
  void begin_copy(const void* address, std::size_t bytes, bool writes);
  void end_copy(const void* address, std::size_t bytes, bool writes);

  std::size_t total() const { return total_; }
  std::size_t used() const { return used_; }
  void set_total(std::size_t bytes) { total_ = bytes; }
  void fail_after(std::int64_t successes) { fail_after_ = successes; }
  std::vector<std::string> leftovers() const;

  // For the signal handler: what is wrong about touching this address; empty when it is not ours.
  std::string explain(const void* address) const;

 private:
  Memory();
  std::byte* reserve(std::size_t bytes);
  void protect_copies(const Allocation& allocation);

  struct Copy {
    const std::byte* begin;
    std::size_t bytes;
    bool writes;
  };

  std::byte* region_ = nullptr;
  std::size_t region_used_ = 0;
  std::map<const std::byte*, Allocation> allocations_;  // by begin, the freed ones as well
  std::vector<Copy> copies_;
  std::size_t total_ = std::size_t{16} << 30;
  std::size_t used_ = 0;
  std::int64_t fail_after_ = -1;
  std::int64_t count_ = 0;
  bool open_ = false;
};

std::string text_of(const Allocation& allocation);

}  // namespace tessera::emulated
