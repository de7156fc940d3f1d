#include "vision/pnm.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "vision/picture_bytes.h"
#include "vision/pixel_limit.h"

namespace tessera {

namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";
constexpr std::string_view kLineEnds = "\r\n";
constexpr std::size_t kLongestToken = 10;

bool is_space(char letter) { return kSpace.find(letter) != std::string_view::npos; }
bool is_line_end(char letter) { return kLineEnds.find(letter) != std::string_view::npos; }

// Numbers parted by spaces. A comment, from # to the end of its line, is nothing at all: 1#c\n2 is 12.
class Tokens {
 public:
  explicit Tokens(const PictureBytes& file) : file_(file) {
    const auto bytes = file.part(0, file.size());
    text_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // The one character behind a number is taken with it.
  std::int64_t number() {
    std::string token;
    char letter = 0;
    while (next(letter)) {
      if (!is_space(letter)) {
        token += letter;
        if (token.size() > kLongestToken) file_.damaged("a number that is too long");
      } else if (!token.empty()) {
        break;
      }
    }
    if (token.empty()) file_.damaged("the file ends too early");
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error != std::errc() || end != token.data() + token.size() || value < 0)
      file_.damaged("no number where one is due");
    return value;
  }

  // 0 or 1, which need no spaces between them; -1 at the end.
  int bit() {
    char letter = ' ';
    while (next(letter)) {
      if (is_space(letter)) continue;
      if (letter != '0' && letter != '1') file_.damaged("a pixel that is neither 0 nor 1");
      return letter - '0';
    }
    return -1;
  }

  std::size_t at() const { return at_; }
  void skip(std::size_t count) { at_ += count; }

 private:
  // False at the end.
  bool next(char& letter) {
    while (at_ < text_.size() && text_[at_] == '#') {
      while (at_ < text_.size() && !is_line_end(text_[at_])) ++at_;
      ++at_;
    }
    if (at_ >= text_.size()) return false;
    letter = text_[at_++];
    return true;
  }

  const PictureBytes& file_;
  std::string_view text_;
  std::size_t at_ = 0;
};

struct Header {
  bool plain = false;        // in numbers
  std::size_t channels = 1;  // 1 or 3
  std::int64_t width = 0, height = 0;
  std::int64_t most = 0;  // 0: one bit a pixel, black where it is set

  bool bilevel() const { return most == 0; }
  std::size_t row() const { return static_cast<std::size_t>(width) * channels; }
};

Header read_header(const PictureBytes& file, Tokens& tokens) {
  const char kind = static_cast<char>(file.u8(1));  // of P1 to P6
  tokens.skip(3);
  Header header{.plain = kind <= '3', .channels = kind == '3' || kind == '6' ? 3U : 1U};
  header.width = tokens.number();
  header.height = tokens.number();
  if (kind == '1' || kind == '4') return header;
  header.most = tokens.number();
  if (header.most < 1 || header.most > 65535) {
    file.damaged("a maximum of " + std::to_string(header.most) + "; expected 1 to 65535");
  }
  return header;
}

// What each number of the file becomes.
std::vector<std::uint8_t> scale_of(const Header& header) {
  const double top = header.channels == 1 && header.most > 255 ? 65535 : 255;
  std::vector<std::uint8_t> scale;
  for (std::int64_t value = 0; value < (header.most > 255 ? 65536 : 256); ++value) {
    // Halves to even, as Python's round().
    const double scaled = std::nearbyint(static_cast<double>(value) / static_cast<double>(header.most) * top);
    scale.push_back(static_cast<std::uint8_t>(std::min(scaled, 255.0)));
  }
  return scale;
}

class Writer {
 public:
  Writer(const Header& header, Image& image) : channels_(header.channels), to_(image.pixels.data()) {}

  void put(std::uint8_t value) {
    std::fill_n(to_, 3 / channels_, value);
    to_ += 3 / channels_;
  }

 private:
  std::size_t channels_;
  std::uint8_t* to_;
};

void decode_plain_bits(const PictureBytes& file, Tokens& tokens, std::size_t pixels, Writer& to) {
  for (; pixels > 0; --pixels) {
    const int bit = tokens.bit();
    if (bit < 0) file.damaged("not enough image data");
    to.put(bit == 1 ? 0 : 255);
  }
  while (tokens.bit() >= 0) {  // what follows must be bits too
  }
}

void decode_plain(const PictureBytes& file, const Header& header, Tokens& tokens, Image& image) {
  Writer to(header, image);
  const std::size_t count = header.row() * static_cast<std::size_t>(header.height);
  if (header.bilevel()) return decode_plain_bits(file, tokens, count, to);
  const std::vector<std::uint8_t> scale = scale_of(header);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t value = tokens.number();
    if (value > header.most) file.damaged("a pixel of " + std::to_string(value) + " above the maximum");
    to.put(scale[static_cast<std::size_t>(value)]);
  }
}

void decode_bits(const PictureBytes& file, const Header& header, std::size_t at, Image& image) {
  Writer to(header, image);
  const std::size_t stride = (header.row() + 7) / 8;
  for (std::size_t y = 0; y < static_cast<std::size_t>(header.height); ++y) {
    const std::uint8_t* from = as_uint8(file.part(at + y * stride, stride));
    for (std::size_t x = 0; x < header.row(); ++x) to.put((from[x / 8] << x % 8 & 0x80) != 0 ? 0 : 255);
  }
}

void decode_bytes(const PictureBytes& file, const Header& header, std::size_t at, Image& image) {
  if (header.bilevel()) return decode_bits(file, header, at, image);
  Writer to(header, image);
  const std::vector<std::uint8_t> scale = scale_of(header);
  const std::size_t width = header.most > 255 ? 2 : 1, stride = header.row() * width;
  for (std::size_t y = 0; y < static_cast<std::size_t>(header.height); ++y) {
    const std::uint8_t* from = as_uint8(file.part(at + y * stride, stride));
    for (std::size_t x = 0; x < header.row(); ++x, from += width) {
      to.put(scale[width == 1 ? from[0] : static_cast<std::size_t>(from[0] << 8 | from[1])]);
    }
  }
}

}  // namespace

Image pnm_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  const PictureBytes file(bytes, name, "PNM");
  Tokens tokens(file);
  const Header header = read_header(file, tokens);
  check_pixels(header.width, header.height, name, options);
  Image image = blank_image(header.width, header.height, name);
  try {
    header.plain ? decode_plain(file, header, tokens, image) : decode_bytes(file, header, tokens.at(), image);
  } catch (const InputError&) {
    if (!options.lenient) throw;
  }
  return image;
}

}  // namespace tessera
