#include "core/visible_text.h"

#include <cstddef>

#include "core/text.h"

namespace tessera {

namespace {

void append_escape(std::string& text, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  text += "\\x";
  text += kDigits[byte >> 4U];
  text += kDigits[byte & 0xFU];
}

}  // namespace

std::string visible_text(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool control = length == 1 && ((first < 0x20 && first != '\n' && first != '\t') || first == 0x7F);
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || control) {
      append_escape(shown, first);
    } else if (c1) {
      append_escape(shown, static_cast<unsigned char>(text[1]));
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return shown;
}

}  // namespace tessera
