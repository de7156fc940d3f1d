#include "scale/protocol.h"

#include <cstring>

namespace tessera {

std::string bytes_of(std::span<const std::int64_t> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

std::vector<std::int64_t> numbers_of(std::string_view bytes) {
  std::vector<std::int64_t> numbers(bytes.size() / sizeof(std::int64_t));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(std::int64_t));
  return numbers;
}

std::string bytes_of(double value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

double double_of(std::string_view bytes) {
  double value = 0;
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return value;
}

}  // namespace tessera
