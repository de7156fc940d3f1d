#pragma once
// Shows the progress of a long command: on a terminal one line that is overwritten, elsewhere a line every 30 s.

#include <cstddef>
#include <string>

#include "core/clock.h"

namespace tessera {

struct Pace {
  std::size_t done = 0, total = 0;
  std::size_t here = 0;  // part of `done`: by this process, in `seconds`; the rest was in a log or a cache
  double seconds = 0;
};
// "1200/50000 pictures, 31.2 images/s, 0:26:04 left"
std::string pace_text(const Pace& pace);

// A count that overwrites itself on a terminal; elsewhere nothing is shown.
class CountLine {
 public:
  CountLine();
  void operator()(const std::string& text, bool last);
  // An unfinished count stays on the terminal.
  void end();

 private:
  const bool terminal_;
  bool open_ = false;
};

class ProgressLine {
 public:
  ProgressLine();
  // Shows the line on stderr unless the last one is too recent; on a terminal `last` is always shown.
  void operator()(const std::string& text, bool last);

 private:
  const bool terminal_;
  Clock::time_point said_;
};

}  // namespace tessera
