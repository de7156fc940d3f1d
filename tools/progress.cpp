#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/clock_text.h"
#include "core/visible_text.h"
#include "tools/say.h"
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
  tell_as_is((terminal_ ? "\r\x1b[K" : "") + visible_text(text) + (terminal_ && !last ? "" : "\n"));
}

CountLine::CountLine() : terminal_(is_terminal(STDERR_FILENO)) {}

void CountLine::operator()(const std::string& text, bool last) {
  if (!terminal_) return;
  tell_as_is("\r" + visible_text(text) + (last ? "\n" : ""));
  open_ = !last;
}

void CountLine::end() {
  if (open_) tell_as_is("\n");
  open_ = false;
}

}  // namespace tessera
