#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "core/clock_text.h"
#include "tools/tool.h"

namespace tessera {

std::string pace_text(const Pace& pace) {
  const double rate = pace.seconds > 0 ? static_cast<double>(pace.here) / pace.seconds : 0;
  const double left = rate > 0 ? static_cast<double>(pace.total - pace.done) / rate : 0;
  return fmt::format("{}/{} pictures, {:.1f} images/s, {} left", pace.done, pace.total, rate, clock_text(left));
}

ProgressLine::ProgressLine()
    : terminal_(is_terminal(STDERR_FILENO)), said_(terminal_ ? Clock::time_point{} : Clock::now()) {}

void ProgressLine::operator()(const std::string& text, bool last) {
  constexpr std::chrono::milliseconds kOnTerminal{100}, kElsewhere{30'000};
  const auto now = Clock::now();
  if (now - said_ < (terminal_ ? kOnTerminal : kElsewhere) && !(terminal_ && last)) return;
  said_ = now;
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", text, terminal_ && !last ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace tessera
