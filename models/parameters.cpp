#include "models/parameters.h"

#include "core/error.h"

namespace tessera {

using Json = nlohmann::json;

Json size_to_json(Size2 size) { return size.height == size.width ? Json(size.height) : Json{size.height, size.width}; }

Size2 size_from_json(const Json& json) {
  const auto side = [&](const Json& number) {
    if (!number.is_number_integer() || number.get<std::int64_t>() < 1) {
      throw UsageError("a size is a whole number, or [height, width], not " + json.dump());
    }
    return number.get<std::int64_t>();
  };
  if (!json.is_array()) return side(json);
  if (json.size() != 2) throw UsageError("a size is a whole number, or [height, width], not " + json.dump());
  return {side(json[0]), side(json[1])};
}

void refuse_parameter(const char* key, const Json& value) {
  throw UsageError(std::string("its parameter '") + key + "' cannot be used: it is " + value.dump());
}

}  // namespace tessera
