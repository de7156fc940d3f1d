#pragma once
// Enums whose values have names. They count from 0, and beside the enum stands
//
//   constexpr auto enum_names(PoolKind) { return std::to_array<std::string_view>({"max", "average"}); }
//
// from which all else follows: text both ways, and how many values there are.

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace tessera {

template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E value) {
  enum_names(value).size();
};

// All values, in order.
template <NamedEnum E>
constexpr auto all_values() {
  std::array<E, enum_names(E{}).size()> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<E>(i);
  return values;
}

// The names have static storage.
template <NamedEnum E>
constexpr std::string_view to_string(E value) {
  constexpr auto kNames = enum_names(E{});
  const auto index = static_cast<std::size_t>(value);
  if (index >= kNames.size()) throw InternalError("a value without a name");
  return kNames[index];
}

// Throws UsageError with the known names; `what` is what is looked for ("activation").
template <NamedEnum E>
E from_string(std::string_view what, std::string_view name) {
  std::string known;
  for (const E value : all_values<E>()) {
    if (to_string(value) == name) return value;
    known += " " + std::string(to_string(value));
  }
  throw UsageError("unknown " + std::string(what) + " '" + std::string(name) + "'; known:" + known);
}

}  // namespace tessera
