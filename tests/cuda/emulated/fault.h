#pragma once
// What the emulated device does when it finds a mistake: it says which, and ends the process.

#include <cstdlib>
#include <string>

namespace tessera::emulated {

// Prints "emulated device: fault: <what>" to stderr and aborts.
[[noreturn]] void fault(const std::string& what);

inline void require(bool holds, const std::string& what) {
  if (!holds) fault(what);
}

}  // namespace tessera::emulated
