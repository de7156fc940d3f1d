#pragma once
// The messages between the processes. Private to scale/. Numbers are sent as they are in memory: MPI's processes run on
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
  kHello,   // JSON: the host and the process's setup
  kAlone,   // a double: see Work::begin
  kAsk,     // for numbers
  kRows,    // lines of a log
  kDone,    // no more rows will come; "stopped" if the process was told to end
  kFailed,  // JSON: the error's kind and text
  // From rank 0:
  kNumbers,  // 64-bit numbers of pictures; none: nothing is left
  kStop,     // end after the current batch
  kEnd,      // leave: the results are written, or there are none
};

inline constexpr std::string_view kWasStopped = "stopped";

// Readers throw InternalError for bytes that are not such a message.
std::string bytes_of(std::span<const std::int64_t> numbers);
std::vector<std::int64_t> numbers_of(std::string_view bytes);
std::string bytes_of(double value);
double speed_of(std::string_view bytes);  // pictures a second: finite, not negative
// The kind of error that another process reported; kInternal for an unknown kind.
ErrorKind error_kind_of(int kind);

}  // namespace tessera
