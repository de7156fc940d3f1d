#pragma once
// Random numbers that are the same on every machine: integers and exactly rounded arithmetic only, no std::
// distribution (whose results the standard leaves open), no libm.

#include <cstdint>

namespace tessera {

// SplitMix64 (Steele, Lea and Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t state) : state_(state) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  // In [0, 1), in steps of 2^-24.
  float unit() { return static_cast<float>(bits() >> 40U) * 0x1p-24F; }
  float between(float low, float high) { return low + (high - low) * unit(); }
  // In [0, count).
  int below(int count) { return static_cast<int>((bits() >> 32U) * static_cast<std::uint64_t>(count) >> 32U); }

 private:
  std::uint64_t state_;
};

}  // namespace tessera
