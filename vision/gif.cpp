#include "vision/gif.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "vision/palette.h"
#include "vision/picture_bytes.h"
#include "vision/pixel_limit.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;

struct Frame {
  std::int64_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::optional<Palette> colours;
  int first_code_bits = 0;  // of data, without the two codes for clear and end
  std::size_t data_at = 0;
};

struct Header {
  std::int64_t width = 0, height = 0;
  std::optional<Palette> colours;
  std::uint8_t transparent = 0;  // or 0: what surrounds the frame
  Frame frame;
};

// Of 2^bits colours; none where it is the grey ramp.
std::optional<Palette> colour_table(const PictureBytes& file, std::size_t at, std::size_t count) {
  const std::uint8_t* from = as_uint8(file.part(at, count * 3));
  Palette table{};
  bool is_ramp = true;
  for (std::size_t i = 0; i < count; ++i, from += 3) {
    table[i] = {from[0], from[1], from[2]};
    is_ramp = is_ramp && std::ranges::all_of(table[i], [i](std::uint8_t value) { return value == i; });
  }
  return is_ramp ? std::nullopt : std::optional(table);
}

class HeaderReader {
 public:
  explicit HeaderReader(const PictureBytes& file) : file_(file) {}

  Header read() {
    Header header{.width = file_.u16le(6), .height = file_.u16le(8)};
    at_ = 13;
    header.colours = table_if(file_.u8(10));
    while (true) {
      const std::uint8_t mark = file_.u8(at_++);
      if (mark == '!') read_extension(header);
      if (mark == ';') file_.damaged("no frame");
      if (mark != ',') continue;  // bytes between the blocks are stepped over
      header.frame = read_frame();
      header.width = std::max(header.width, header.frame.left + header.frame.width);
      header.height = std::max(header.height, header.frame.top + header.frame.height);
      return header;
    }
  }

 private:
  std::optional<Palette> table_if(std::uint8_t flags) {
    if ((flags & 0x80) == 0) return std::nullopt;
    const std::size_t count = std::size_t{2} << (flags & 7), at = at_;
    at_ += count * 3;
    return colour_table(file_, at, count);
  }

  // Empty at the end of a chain of them.
  Bytes sub_block() {
    const std::size_t length = file_.u8(at_++), at = at_;
    at_ += length;
    return file_.part(at, length);
  }

  // In Pillow's steps, which also say where an odd chain ends.
  void read_extension(Header& header) {
    constexpr int kGraphicControl = 0xF9, kComment = 0xFE, kApplication = 0xFF;
    const int kind = file_.u8(at_++);
    const Bytes first = sub_block();
    if (kind == kComment && first.empty()) return;
    if (kind == kGraphicControl && !first.empty()) {
      if (first.size() < 4) file_.damaged("a graphic control extension that is too short");
      if ((as_uint8(first)[0] & 1) != 0) header.transparent = as_uint8(first)[3];
    }
    constexpr std::string_view kLoops = "NETSCAPE2.0";
    const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
    if (kind == kApplication && text.starts_with(kLoops)) sub_block();
    while (!sub_block().empty()) {
    }
  }

  Frame read_frame() {
    Frame frame{.left = file_.u16le(at_),
                .top = file_.u16le(at_ + 2),
                .width = file_.u16le(at_ + 4),
                .height = file_.u16le(at_ + 6)};
    const std::uint8_t flags = file_.u8(at_ + 8);
    at_ += 9;
    frame.interlaced = (flags & 0x40) != 0;
    frame.colours = table_if(flags);
    frame.first_code_bits = file_.u8(at_++);
    if (frame.first_code_bits > 8) file_.unsupported("with codes of more than 8 bits");
    frame.data_at = at_;
    return frame;
  }

  const PictureBytes& file_;
  std::size_t at_ = 0;
};

// The frame's rows in the order in which the file has them.
class Rows {
 public:
  explicit Rows(const Frame& frame) : height_(frame.height), interlaced_(frame.interlaced) {}

  std::int64_t current() const { return row_; }
  bool is_done() const { return row_ >= height_; }
  void next() {
    row_ += interlaced_ ? kSteps[pass_] : 1;
    while (interlaced_ && row_ >= height_ && pass_ + 1 < kSteps.size()) row_ = kStarts[++pass_];
  }

 private:
  static constexpr std::array<std::int64_t, 4> kStarts{0, 4, 2, 1}, kSteps{8, 8, 4, 2};
  std::int64_t height_, row_ = 0;
  bool interlaced_;
  std::size_t pass_ = 0;
};

// Takes a frame's indices one after another.
class FrameWriter {
 public:
  FrameWriter(const Frame& frame, const Palette& colours, Image& image)
      : frame_(frame), colours_(colours), image_(image), rows_(frame) {}

  bool is_done() const { return rows_.is_done(); }
  void put(std::uint8_t index) {
    if (is_done()) return;
    const std::size_t row = static_cast<std::size_t>(frame_.top + rows_.current());
    const std::size_t column = static_cast<std::size_t>(frame_.left + x_);
    std::ranges::copy(colours_[index], image_.pixels.data() + row * image_.stride() + column * 3);
    if (++x_ < frame_.width) return;
    x_ = 0;
    rows_.next();
  }

 private:
  const Frame& frame_;
  const Palette& colours_;
  Image& image_;
  Rows rows_;
  std::int64_t x_ = 0;
};

// Bits out of a chain of sub-blocks, each of which must be whole.
class CodeReader {
 public:
  CodeReader(const PictureBytes& file, std::size_t at) : file_(file), at_(at) {}

  int next(int bits) {
    while (count_ < bits) {
      if (left_ == 0) next_block();
      buffer_ |= std::uint32_t{file_.u8(at_++)} << count_;
      count_ += 8;
      --left_;
    }
    const auto code = static_cast<int>(buffer_ & ((1U << bits) - 1));
    buffer_ >>= bits;
    count_ -= bits;
    return code;
  }

 private:
  void next_block() {
    left_ = file_.u8(at_++);
    if (left_ == 0) file_.damaged("not enough image data");
    file_.part(at_, left_);
  }

  const PictureBytes& file_;
  std::size_t at_, left_ = 0;
  std::uint32_t buffer_ = 0;
  int count_ = 0;
};

// Codes to indices (LZW). What is no code of the table yet is an error.
class Decompressor {
 public:
  Decompressor(const PictureBytes& file, const Frame& frame)
      : file_(file), codes_(file, frame.data_at), first_bits_(frame.first_code_bits), clear_(1 << first_bits_) {
    reset();
  }

  void write_to(FrameWriter& frame) {
    while (!frame.is_done()) {
      const int code = codes_.next(bits_);
      if (code == clear_) {
        reset();
      } else if (code == clear_ + 1) {
        file_.damaged("not enough image data");
      } else {
        expand(code);
        for (std::size_t i = text_.size(); i > 0; --i) frame.put(text_[i - 1]);
      }
    }
  }

 private:
  static constexpr int kMostBits = 12;
  static constexpr int kMostCodes = 1 << kMostBits;

  void reset() {
    next_ = clear_ + 2;
    bits_ = first_bits_ + 1;
    last_code_ = -1;
  }

  // What `code` stands for into text_, backwards, and what follows from it into the table.
  void expand(int code) {
    text_.clear();
    if (last_code_ < 0 ? code > clear_ : code > next_) file_.damaged("a code that stands for nothing");
    int rest = code;
    if (last_code_ >= 0 && code == next_) {
      text_.push_back(last_first_);
      rest = last_code_;
    }
    for (; rest >= clear_; rest = links_[static_cast<std::size_t>(rest)]) {
      text_.push_back(firsts_[static_cast<std::size_t>(rest)]);
    }
    text_.push_back(static_cast<std::uint8_t>(rest));
    last_first_ = static_cast<std::uint8_t>(rest);
    if (last_code_ >= 0) add(last_first_);
    last_code_ = code;
  }

  void add(std::uint8_t index) {
    if (next_ == kMostCodes) return;
    firsts_[static_cast<std::size_t>(next_)] = index;
    links_[static_cast<std::size_t>(next_)] = last_code_;
    if (next_ == (1 << bits_) - 1 && bits_ < kMostBits) ++bits_;
    ++next_;
  }

  const PictureBytes& file_;
  CodeReader codes_;
  int first_bits_, clear_, next_ = 0, bits_ = 0, last_code_ = -1;
  std::uint8_t last_first_ = 0;
  std::array<std::uint8_t, kMostCodes> firsts_{};  // the index at the end of a code's text
  std::array<int, kMostCodes> links_{};            // the code of what comes before
  std::vector<std::uint8_t> text_;
};

void fill(Image& image, const Colour& colour) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) std::ranges::copy(colour, image.pixels.data() + i);
}

}  // namespace

Image gif_decode(Bytes bytes, const std::string& name, const DecodeOptions& options) {
  const PictureBytes file(bytes, name, "GIF");
  const Header header = HeaderReader(file).read();
  check_pixels(header.frame.width, header.frame.height, name, options);
  check_pixels(header.width, header.height, name, options);
  const Palette colours = header.frame.colours ? *header.frame.colours : header.colours.value_or(grey_palette());
  Image image = blank_image(header.width, header.height, name);
  fill(image, colours[header.transparent]);
  FrameWriter frame(header.frame, colours, image);
  try {
    Decompressor(file, header.frame).write_to(frame);
  } catch (const InputError&) {
    if (!options.lenient) throw;
  }
  return image;
}

}  // namespace tessera
