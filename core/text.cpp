#include "core/text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

using std::string_view_literals::operator""sv;

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

void append_utf8(unsigned code, std::string& text) {
  const auto put = [&text](unsigned byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The byte of the "\xHH" that `text` begins with, or -1.
int escape_at(std::string_view text) {
  if (text.size() < 4 || text[0] != '\\' || text[1] != 'x') return -1;
  const int high = hex_digit(text[2]), low = hex_digit(text[3]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

// C0, DEL and C1, which terminals obey.
bool is_control(std::string_view character) {
  const unsigned first = byte_at(character, 0);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && character.size() == 2 && byte_at(character, 1) < 0xA0);
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte_at(text, 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool beyond = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

void TextReader::refuse(const std::string& reason) const { throw InputError(name_ + ": " + reason); }

void TextReader::begin(std::string_view& block) {
  encoding_ = Encoding::kBytes;
  if (block.starts_with("\xFF\xFE\0\0"sv) || block.starts_with("\0\0\xFE\xFF"sv)) {
    refuse("is UTF-32 text; save it as UTF-8");
  }
  if (block.starts_with("PK\x03\x04")) refuse("is a workbook or another packed file; save the table as CSV");
  if (block.starts_with("\x1F\x8B")) refuse("is packed (gzip); unpack it first");
  if (block.starts_with("\xEF\xBB\xBF")) {
    block.remove_prefix(3);
  } else if (block.starts_with("\xFF\xFE")) {
    encoding_ = Encoding::kUtf16LittleEndian;
    block.remove_prefix(2);
  } else if (block.starts_with("\xFE\xFF")) {
    encoding_ = Encoding::kUtf16BigEndian;
    block.remove_prefix(2);
  }
}

void TextReader::add_unit(unsigned unit, std::string& text) {
  const bool low = unit >= 0xDC00 && unit < 0xE000, high = unit >= 0xD800 && unit < 0xDC00;
  if (unit == 0 || low != (surrogate_ != 0)) refuse("begins as UTF-16 text, but is none; save it as UTF-8");
  if (high) {
    surrogate_ = unit;
  } else if (low) {
    append_utf8(0x10000 + ((surrogate_ - 0xD800) << 10) + (unit - 0xDC00), text);
    surrogate_ = 0;
  } else {
    append_utf8(unit, text);
  }
}

std::string TextReader::add(std::string_view block) {
  if (encoding_ == Encoding::kUnknown) begin(block);
  if (encoding_ == Encoding::kBytes) {
    if (block.find('\0') != std::string_view::npos) {
      refuse("holds NUL bytes, so it is no text, or UTF-16 without a byte order mark; save it as UTF-8");
    }
    return std::string(block);
  }
  std::string text;
  text.reserve(block.size());
  for (const char c : block) {
    const int byte = static_cast<unsigned char>(c);
    if (odd_byte_ < 0) {
      odd_byte_ = byte;
      continue;
    }
    const int first = std::exchange(odd_byte_, -1);
    const int unit = encoding_ == Encoding::kUtf16BigEndian ? first << 8 | byte : byte << 8 | first;
    add_unit(static_cast<unsigned>(unit), text);
  }
  return text;
}

void TextReader::finish() const {
  if (odd_byte_ >= 0 || surrogate_ != 0) refuse("is UTF-16 text that is cut off");
}

std::string text_of(std::string_view bytes, const std::string& name) {
  TextReader reader(name);
  std::string text = reader.add(bytes);
  reader.finish();
  return text;
}

std::string lower_case(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return small;
}

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string safe;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    const bool plain = length > 0 && !is_control(character) && escape_at(text) < 0;
    for (const char c : character) {
      const auto byte = static_cast<unsigned char>(c);
      if (plain) {
        safe += c;
      } else {
        safe.append("\\x").append({kDigits[byte / 16U], kDigits[byte % 16U]});
      }
    }
    text.remove_prefix(character.size());
  }
  return safe;
}

std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const int byte = escape_at(text);
    plain += byte < 0 ? text.front() : static_cast<char>(byte);
    text.remove_prefix(byte < 0 ? 1 : 4);
  }
  return plain;
}

}  // namespace tessera
