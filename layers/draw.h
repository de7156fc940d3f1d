#pragma once
// Random numbers for tests: the same for a seed everywhere.

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "core/tensor.h"
#include "core/weight_spec.h"
#include "layers/names.h"

namespace tessera {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool coin() { return between(0, 1) == 1; }
  // Any value of the enum.
  template <NamedEnum E>
  E one_of() {
    return static_cast<E>(between(0, static_cast<std::int64_t>(all_values<E>().size()) - 1));
  }
  Tensor tensor(const Shape& shape, const SeededRange& range) {
    Tensor made(shape);
    for (float& value : made.values()) {
      const double share = static_cast<double>(engine_() >> 11) * 0x1p-53;
      value = static_cast<float>(range.low + (range.high - range.low) * share);
    }
    return made;
  }
  Tensor tensor(const Shape& shape, double bound) { return tensor(shape, {-bound, bound}); }
  // A picture's height and width, or how many: small, and not round.
  Shape pixels(std::int64_t channels) { return {between(1, 3), between(4, 20), between(4, 20), channels}; }
  Shape tokens(std::int64_t width) { return {between(1, 3), between(1, 80), width}; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tessera
