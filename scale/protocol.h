#pragma once
// What the processes say to each other. Private to scale/. Numbers travel as they lie in memory: MPI's processes run on
// machines of one kind, and the settings that are compared name the instruction set.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace tessera {

enum MessageKind : int {
  // To rank 0:
  kHello,   // JSON: the host and what the process is set up to do
  kAlone,   // a double: see Work::begin
  kAsk,     // for numbers
  kRows,    // lines of a log
  kDone,    // no more rows will come; "stopped" where the process was told to end
  kFailed,  // JSON: the error's kind and text
  // From rank 0:
  kNumbers,  // 64-bit numbers of pictures; none: nothing is left
  kStop,     // end after the batch at hand
  kEnd,      // leave: the results are written, or there are none
};

inline constexpr std::string_view kWasStopped = "stopped";

// Readers throw InternalError for bytes that are no such message.
std::string bytes_of(std::span<const std::int64_t> numbers);
std::vector<std::int64_t> numbers_of(std::string_view bytes);
std::string bytes_of(double value);
double speed_of(std::string_view bytes);  // pictures a second: finite, not negative
// The kind of error that another process said; kInternal for one that there is not.
ErrorKind error_kind_of(int kind);

}  // namespace tessera
