#include "core/clock_text.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tessera {

std::string clock_text(double seconds) {
  const std::chrono::hh_mm_ss clock(std::chrono::seconds(std::llround(std::max(seconds, 0.0))));
  const auto two_digits = [](auto part) {
    return std::string(part.count() < 10 ? "0" : "") + std::to_string(part.count());
  };
  return std::to_string(clock.hours().count()) + ":" + two_digits(clock.minutes()) + ":" + two_digits(clock.seconds());
}

}  // namespace tessera
