#pragma once
// How far a long command has come: on a terminal one line that is written over, elsewhere a line every 30 s.

#include <chrono>
#include <cstddef>
#include <string>

namespace tessera {

// "1:02:03"
std::string clock_text(double seconds);

// "1200/50000 pictures, 31.2 pictures/s, 0:26:04 left"
std::string pace_text(std::size_t done, std::size_t total, double seconds);

class ProgressLine {
 public:
  ProgressLine();
  // Says it on stderr unless it is too early; `last` is always said on a terminal.
  void operator()(const std::string& text, bool last);

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  Clock::time_point said_;
};

}  // namespace tessera
