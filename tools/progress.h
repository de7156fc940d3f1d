#pragma once
// How far a long command has come: on a terminal one line that is written over, elsewhere a line every 30 s.

#include <cstddef>
#include <string>

#include "core/clock.h"

namespace tessera {

struct Pace {
  std::size_t done = 0, total = 0;
  std::size_t here = 0;  // of `done`, by this process, in `seconds`: the others were in a log or a cache
  double seconds = 0;
};
// "1200/50000 pictures, 31.2 images/s, 0:26:04 left"
std::string pace_text(const Pace& pace);

// A count on a terminal, written over itself; elsewhere nothing.
class CountLine {
 public:
  CountLine();
  void operator()(const std::string& text, bool last);
  // Leaves a count that has not come to its end where it is.
  void end();

 private:
  const bool terminal_;
  bool open_ = false;
};

class ProgressLine {
 public:
  ProgressLine();
  // Says it on stderr unless it is too early; `last` is always said on a terminal.
  void operator()(const std::string& text, bool last);

 private:
  const bool terminal_;
  Clock::time_point said_;
};

}  // namespace tessera
