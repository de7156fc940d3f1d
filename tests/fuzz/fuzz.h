#pragma once
// What the fuzzers share. Each is a libFuzzer target: it hands bytes to one reader of untrusted input, where only a
// tessera::Error is a proper answer; any other exception, and whatever the sanitizers see, is a finding. Its seeds
// (tests/fuzz/seeds/TARGET) are inputs that it reads, which scripts/fuzz.sh checks before it begins.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace tessera::fuzz {

inline std::span<const std::byte> as_span(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

// A file that lives in memory only, for readers that take a path.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", 0)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// A folder of this process for readers that look at several files; made on first use.
inline const std::filesystem::path& folder() {
  static const std::filesystem::path made = [] {
    const auto path = std::filesystem::temp_directory_path() / ("tessera-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path);
    return path;
  }();
  return made;
}

inline std::filesystem::path put_file(const std::string& name, const std::uint8_t* data, std::size_t size) {
  const std::filesystem::path path = folder() / name;
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

// With TESSERA_FUZZ_SEEDS in the environment each input is a seed, and verdict() ends the process where it is refused.
inline bool seeds_are_checked() {
  static const bool checked = std::getenv("TESSERA_FUZZ_SEEDS") != nullptr;
  return checked;
}

// True where the input was read, false where it was refused with a reason.
template <typename Read>
[[nodiscard]] bool expect_answer(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    if (seeds_are_checked()) std::fprintf(stderr, "refused: %s\n", error.what());
    return false;
  }
}

// What a target returns. `accepted`: one of its readers at least read the input. A target whose seeds are refused never
// gets past the door, and finds nothing.
inline int verdict(bool accepted) {
  if (seeds_are_checked() && !accepted) {
    std::fputs("a seed is refused by every reader of its target\n", stderr);
    std::abort();
  }
  return 0;
}

}  // namespace tessera::fuzz
