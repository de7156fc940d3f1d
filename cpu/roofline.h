#pragma once
// The peaks of this machine: the roof with which kernels are compared (Williams et al. 2009, "Roofline").

#include <string>

namespace tessera {

struct Roofline {
  std::string isa;
  int threads = 1;
  double gflops = 0;    // float32 multiply-adds between registers, two operations each
  double read_gbs = 0;  // 10^9 bytes a second, read from memory beyond the caches
};

// Takes about a second; other work on the machine lowers what it finds. `isa` as in CpuOptions. Throws DeviceError.
Roofline measure_roofline(const std::string& isa, int threads);

}  // namespace tessera
