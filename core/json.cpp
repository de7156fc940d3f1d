#include "core/json.h"

#include <cmath>

namespace tessera {

nlohmann::json parse_json(std::string_view text) {
  using Json = nlohmann::json;
  constexpr int kDeepest = 16;
  constexpr double kMostFraction = 2147483648.0;
  bool sound = true;
  const Json::parser_callback_t check = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDeepest) sound = false;
    if (event == Json::parse_event_t::value && value.is_number_float()) {
      sound = sound && std::abs(value.get<double>()) < kMostFraction;
    }
    return sound;
  };
  Json json = Json::parse(text, check, false);
  return sound ? json : Json(Json::value_t::discarded);
}

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tessera
