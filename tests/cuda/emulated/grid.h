#pragma once
// Runs the threads of a grid: block by block, each thread of a block a fiber where it has to wait for others.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/cuda/emulated/control.h"

namespace tessera::emulated {

// A line of a kernel: std::source_location, which clang 14 lacks. `Where where = Where::here()` as a parameter is its
// caller's.
struct Where {
  static Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  const char* file;
  int line;
};

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
  std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

struct Launch {
  std::string kernel;
  Size3 grid, block;
  std::size_t shared_bytes = 0;
};

// Runs body() once a thread, with threadIdx and the like set. Faults on a barrier that not all threads reach, on
// barriers at different places, on lanes that miss a shuffle, and on writes beside shared memory.
void run_grid(const Launch& launch, const Schedule& schedule, const std::function<void()>& body);

// From within a thread of a running grid.
void barrier(const Where& where);
enum class Collective : std::uint8_t { kShuffle, kBallot, kSynchronise };
// Waits until all lanes of `mask` are here, each with its value. Writes those of the 32 lanes to `values`, and returns
// the lanes that took part.
std::uint32_t warp_exchange(Collective kind, std::uint32_t mask, std::uint64_t value, std::uint64_t values[32],
                            const Where& where);
unsigned lane();
void* dynamic_shared();
// The block's memory of a static shared array, known by the address of `key`.
void* static_shared(const void* key, std::size_t bytes);

// "block (1, 0, 0), thread (5, 0, 0) of softmax": who runs, or empty.
std::string running_thread();

}  // namespace tessera::emulated
