#include "layers/fields.h"

#include <fmt/format.h>

namespace tessera {

std::string to_string(Size2 size) {
  std::string text = std::to_string(size.height);
  if (size.width != size.height) text += "x" + std::to_string(size.width);
  return text;
}

std::string field_text(std::int64_t value) { return std::to_string(value); }
std::string field_text(float value) { return fmt::format("{:g}", value); }
std::string field_text(bool value) { return value ? "true" : "false"; }
std::string field_text(const Size2& value) { return to_string(value); }
std::string field_text(const std::optional<float>& value) { return value ? field_text(*value) : "none"; }

void append_saying(std::string& text, const Field& field, std::string_view value) {
  if (!text.empty() && !field.text.starts_with(' ')) text += ", ";
  const std::size_t place = field.text.find("{}");
  if (place == std::string_view::npos) {
    text += field.text;
    return;
  }
  text += field.text.substr(0, place);
  text += value;
  text += field.text.substr(place + 2);
}

}  // namespace tessera
