#include "tests/cuda/emulated/fault.h"

#include <cstdio>

namespace tessera::emulated {

void fault(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "emulated device: fault: %s\n", what.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace tessera::emulated
