#pragma once
// JSON from outside, parsed in time proportional to its length.

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tessera {

// Limits on what a text may hold.
struct JsonRules {
  std::size_t deepest = 16;  // levels of arrays and objects
  // The largest magnitude of a number with a fraction or an exponent. It keeps `get<int>()` of a number within the
  // range for which C++ defines the conversion; no field of ours comes near it.
  double most_fraction = 2147483648.0;
  std::size_t most_values = std::numeric_limits<std::size_t>::max();
  bool names_once = false;  // false: the last of several members of one name counts
};

struct ParsedJson {
  nlohmann::json value;  // discarded (is_discarded()) where there is a fault
  std::string fault;     // "is not JSON", "names 'a' twice"; empty: none
};

// Never throw on any text.
ParsedJson parse_json(std::string_view text, const JsonRules& rules);
// Parses by the limits above.
nlohmann::json parse_json(std::string_view text);

// Indented, with a line's end; bytes of strings that are not UTF-8 (file names may be anything) become U+FFFD.
std::string json_text(const nlohmann::json& json);

}  // namespace tessera
