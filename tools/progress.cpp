#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "tools/tool.h"

namespace tessera {

std::string clock_text(double seconds) {
  constexpr std::int64_t kMinute = 60, kHour = 3600;
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  return fmt::format("{}:{:02}:{:02}", whole / kHour, whole % kHour / kMinute, whole % kMinute);
}

std::string pace_text(std::size_t done, std::size_t total, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  return fmt::format("{}/{} pictures, {:.1f} pictures/s, {} left", done, total, rate, clock_text(left));
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
