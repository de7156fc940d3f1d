#include "scale/protocol.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "core/error.h"

namespace tessera {

std::string bytes_of(std::span<const std::int64_t> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

std::vector<std::int64_t> numbers_of(std::string_view bytes) {
  if (bytes.size() % sizeof(std::int64_t) != 0) {
    throw InternalError(fmt::format("a message of 64-bit numbers has {} bytes", bytes.size()));
  }
  std::vector<std::int64_t> numbers(bytes.size() / sizeof(std::int64_t));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

std::string bytes_of(double value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

double speed_of(std::string_view bytes) {
  double value = 0;
  if (bytes.size() != sizeof(value))
    throw InternalError(fmt::format("a message of a number has {} bytes", bytes.size()));
  std::memcpy(&value, bytes.data(), sizeof(value));
  if (!std::isfinite(value) || value < 0) throw InternalError(fmt::format("a message has {} pictures a second", value));
  return value;
}

ErrorKind error_kind_of(int kind) {
  const bool known = kind >= static_cast<int>(ErrorKind::kInternal) && kind <= static_cast<int>(ErrorKind::kDevice);
  return known ? static_cast<ErrorKind>(kind) : ErrorKind::kInternal;
}

}  // namespace tessera
