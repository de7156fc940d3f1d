#include "tests/cuda/emulated/memory.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/grid.h"

namespace tessera::emulated {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 256;                // what cudaMalloc promises
constexpr std::size_t kRegion = std::size_t{1} << 41;  // addresses, not memory
constexpr int kPoison = 0xFF;
constexpr std::byte kGuard{0xFF};

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct sigaction previous_action;

// A signal handler that ends the process with the reason. It is not async-signal-safe, as it allocates: the faulting
// instruction is one of a test or of a kernel, not of the allocator.
void explain_signal(int, siginfo_t* info, void*) {
  const std::string what = Memory::instance().explain(info->si_addr);
  if (!what.empty()) fault(what);
  sigaction(SIGSEGV, &previous_action, nullptr);  // not ours: the instruction is tried again and reported as ever
}

void install_handler() {
  struct sigaction action {};
  action.sa_sigaction = &explain_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_action);
}

}  // namespace

std::string text_of(const Allocation& allocation) {
  return (allocation.pinned ? "pinned allocation " : "allocation ") + std::to_string(allocation.number) + " of " +
         std::to_string(allocation.bytes) + " bytes";
}

Memory& Memory::instance() {
  static auto* const memory = new Memory;  // never destroyed: the report at exit asks it
  return *memory;
}

Memory::Memory() {
  void* region = mmap(nullptr, kRegion, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(region != MAP_FAILED, "there are no addresses for device memory");
  region_ = static_cast<std::byte*>(region);
  install_handler();
}

std::byte* Memory::reserve(std::size_t bytes) {
  require(bytes <= kRegion - region_used_, "the process has used up the addresses of the emulated device");
  std::byte* const pages = region_ + region_used_;
  region_used_ += bytes;
  return pages;
}

void* Memory::allocate(std::size_t bytes, bool pinned) {
  if (fail_after_ == 0) {
    fail_after_ = -1;
    return nullptr;
  }
  if (fail_after_ > 0) --fail_after_;
  const std::size_t padded = round_up(std::max<std::size_t>(bytes, 1), kAlignment);
  if (!pinned && (padded > total_ || used_ > total_ - padded)) return nullptr;
  Allocation made;
  made.page_bytes = round_up(padded, kPage);
  made.pages = reserve(made.page_bytes + 2 * kPage) + kPage;
  if (mprotect(made.pages, made.page_bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
  std::memset(made.pages, kPoison, made.page_bytes);
  made.begin = made.pages + made.page_bytes - padded;
  made.bytes = bytes;
  made.number = ++count_;
  made.pinned = pinned;
  if (!pinned) {
    used_ += padded;
    if (!open_) mprotect(made.pages, made.page_bytes, PROT_NONE);
  }
  void* const address = made.begin;
  allocations_.emplace(made.begin, made);
  return address;
}

void Memory::release(void* address, bool pinned) {
  const auto found = allocations_.find(static_cast<const std::byte*>(address));
  require(found != allocations_.end(), "what is freed was never allocated");
  Allocation& allocation = found->second;
  require(allocation.live, "double free of " + text_of(allocation));
  require(allocation.pinned == pinned, text_of(allocation) + " is freed by the wrong function");
  for (const Copy& copy : copies_) {
    require(copy.begin < allocation.begin || copy.begin >= allocation.begin + allocation.bytes,
            text_of(allocation) + " is freed while a copy of it is under way");
  }
  allocation.live = false;
  if (!pinned) used_ -= round_up(std::max<std::size_t>(allocation.bytes, 1), kAlignment);
  mprotect(allocation.pages, allocation.page_bytes, PROT_NONE);
  madvise(allocation.pages, allocation.page_bytes, MADV_DONTNEED);
}

const Allocation* Memory::find(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  auto found = allocations_.upper_bound(at);
  if (found == allocations_.begin()) return nullptr;
  --found;
  const Allocation& allocation = found->second;
  const bool inside = at < allocation.begin + std::max<std::size_t>(allocation.bytes, 1);
  return inside && allocation.live ? &allocation : nullptr;
}

void Memory::check_device(const void* address, std::size_t bytes, const std::string& what) const {
  if (bytes == 0) return;
  const Allocation* const allocation = find(address);
  require(allocation != nullptr, what + " is not in device memory (freed, of the host, or a wrong address)");
  require(!allocation->pinned, what + " is in " + text_of(*allocation) + ", not in device memory");
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - allocation->begin);
  require(bytes <= allocation->bytes - offset, "out of bounds: " + what + " takes " + std::to_string(bytes) +
                                                   " bytes at offset " + std::to_string(offset) + " of " +
                                                   text_of(*allocation));
}

void Memory::check_guards(const void* address, const std::string& who) const {
  const Allocation* const allocation = find(address);
  if (allocation == nullptr || allocation->pinned) return;
  const auto untouched = [](const std::byte* begin, const std::byte* end) {
    return std::all_of(begin, end, [](std::byte value) { return value == kGuard; });
  };
  require(untouched(allocation->pages, allocation->begin),
          "out of bounds: " + who + " wrote before " + text_of(*allocation));
  require(untouched(allocation->begin + allocation->bytes, allocation->pages + allocation->page_bytes),
          "out of bounds: " + who + " wrote past " + text_of(*allocation));
}

void Memory::open() {
  open_ = true;
  for (const auto& [begin, allocation] : allocations_) {
    if (allocation.live) mprotect(allocation.pages, allocation.page_bytes, PROT_READ | PROT_WRITE);
  }
}

void Memory::close() {
  open_ = false;
  for (const auto& [begin, allocation] : allocations_) {
    if (allocation.live && !allocation.pinned) mprotect(allocation.pages, allocation.page_bytes, PROT_NONE);
    if (allocation.live && allocation.pinned) protect_copies(allocation);
  }
}

// Pages that a copy has to itself; those at an end of the allocation belong to it as well when it reaches that end.
void Memory::protect_copies(const Allocation& allocation) {
  mprotect(allocation.pages, allocation.page_bytes, PROT_READ | PROT_WRITE);
  for (const bool writes : {false, true}) {
    for (const Copy& copy : copies_) {
      const bool inside = copy.begin >= allocation.begin && copy.begin < allocation.begin + allocation.bytes;
      if (copy.writes != writes || !inside) continue;
      const auto offset_of = [&](const std::byte* at) { return static_cast<std::size_t>(at - allocation.pages); };
      const bool from_begin = copy.begin == allocation.begin;
      const bool to_end = copy.begin + copy.bytes == allocation.begin + allocation.bytes;
      const std::size_t first = from_begin ? 0 : round_up(offset_of(copy.begin), kPage);
      const std::size_t last = to_end ? allocation.page_bytes : offset_of(copy.begin + copy.bytes) / kPage * kPage;
      if (first < last) mprotect(allocation.pages + first, last - first, writes ? PROT_NONE : PROT_READ);
    }
  }
}

void Memory::begin_copy(const void* address, std::size_t bytes, bool writes) {
  const Allocation* const allocation = find(address);
  if (allocation == nullptr || !allocation->pinned || bytes == 0) return;
  const auto* const begin = static_cast<const std::byte*>(address);
  const bool read_before = std::ranges::any_of(copies_, [&](const Copy& copy) {
    return !copy.writes && copy.begin < begin + bytes && begin < copy.begin + copy.bytes;
  });
  if (writes && !read_before) {  // the copy may come at any time: until then nobody knows what is there
    mprotect(allocation->pages, allocation->page_bytes, PROT_READ | PROT_WRITE);
    std::memset(const_cast<std::byte*>(begin), kPoison, bytes);
  }
  copies_.push_back({begin, bytes, writes});
  if (!open_) protect_copies(*allocation);
}

void Memory::end_copy(const void* address, std::size_t bytes, bool writes) {
  const auto found = std::ranges::find_if(
      copies_, [&](const Copy& copy) { return copy.begin == address && copy.bytes == bytes && copy.writes == writes; });
  if (found == copies_.end()) return;
  copies_.erase(found);
  const Allocation* const allocation = find(address);
  if (!open_ && allocation != nullptr) protect_copies(*allocation);
}

std::vector<std::string> Memory::leftovers() const {
  std::vector<std::string> lines;
  for (const auto& [begin, allocation] : allocations_) {
    if (allocation.live) lines.push_back("leak: " + text_of(allocation));
  }
  return lines;
}

std::string Memory::explain(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  if (at < region_ || at >= region_ + kRegion) return {};
  std::string place = "an address of no allocation";
  bool pinned = false, live = false;
  auto found = allocations_.upper_bound(at);
  if (found != allocations_.begin()) {
    const Allocation& allocation = (--found)->second;
    place = "offset " + std::to_string(at - allocation.begin) + " of " + text_of(allocation);
    live = allocation.live;
    if (!live) place += ", which has been freed";
    pinned = allocation.pinned && at < allocation.begin + allocation.bytes;
  }
  const std::string thread = running_thread();
  if (!thread.empty()) return "out of bounds: " + thread + " touches " + place;
  if (pinned && live) return "missing synchronisation: the host touches " + place + " while a copy is under way";
  return "the host touches device memory: " + place;
}

}  // namespace tessera::emulated
