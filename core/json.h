#pragma once
// JSON from outside.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tessera {

// The value that `text` is; discarded (is_discarded()) where it is not JSON, nests deeper than 16 levels, or holds a
// fraction beyond ±2^31. The last keeps `get<int>()` of what the text has for an integer within what a conversion
// defines; no field of ours comes near it. Never throws on any text.
nlohmann::json parse_json(std::string_view text);

// Indented, with a line's end; bytes of strings that are not UTF-8 (file names may be anything) become U+FFFD.
std::string json_text(const nlohmann::json& json);

}  // namespace tessera
