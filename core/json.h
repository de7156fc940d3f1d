#pragma once
// JSON from outside, in time that grows as its length does.

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tessera {

// What a text may hold.
struct JsonRules {
  std::size_t deepest = 16;  // levels of arrays and objects
  // Numbers with a fraction or an exponent. It keeps `get<int>()` of what the text has for an integer within what a
  // conversion defines; no field of ours comes near it.
  double most_fraction = 2147483648.0;
  std::size_t most_values = std::numeric_limits<std::size_t>::max();
  bool names_once = false;  // else the last of several members of one name counts
};

struct ParsedJson {
  nlohmann::json value;  // discarded (is_discarded()) where there is a fault
  std::string fault;     // "is not JSON", "names 'a' twice"; empty: none
};

// Never throw on any text.
ParsedJson parse_json(std::string_view text, const JsonRules& rules);
// By the rules as they stand above.
nlohmann::json parse_json(std::string_view text);

// Indented, with a line's end; bytes of strings that are not UTF-8 (file names may be anything) become U+FFFD.
std::string json_text(const nlohmann::json& json);

}  // namespace tessera
