#include "vision/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/error.h"
#include "vision/palette.h"
#include "vision/picture_bytes.h"
#include "vision/pixel_limit.h"

namespace tessera {

namespace {

constexpr std::size_t kInfo = 14;  // where the second header begins, with its own size
enum Compression : std::uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };
using Masks = std::array<std::uint32_t, 4>;  // red, green, blue, alpha

struct Header {
  std::int64_t width = 0, height = 0;
  bool from_top = false;
  std::uint32_t size = 0, bits = 0, compression = kNone, colours = 0;
  std::size_t entry = 4;  // bytes of a palette's entry
  Masks masks{};          // of bit fields
  std::size_t end = 0;    // where the palette begins
  std::size_t pixels_at = 0;
};

Header core_header(const PictureBytes& file) {
  Header header{.width = file.u16le(kInfo + 4), .height = file.u16le(kInfo + 6), .bits = file.u16le(kInfo + 10)};
  header.entry = 3;
  return header;
}

Header info_header(const PictureBytes& file) {
  Header header{.width = file.u32le(kInfo + 4), .height = file.u32le(kInfo + 8)};
  header.from_top = file.u8(kInfo + 11) == 0xFF;  // a small negative number
  if (header.from_top) header.height = (std::int64_t{1} << 32) - header.height;
  header.bits = file.u16le(kInfo + 14);
  header.compression = file.u32le(kInfo + 16);
  header.colours = file.u32le(kInfo + 32);
  return header;
}

// The old header has three masks behind it, the newer ones within.
void read_masks(const PictureBytes& file, Header& header) {
  constexpr std::uint32_t kOld = 40, kWithAlpha = 56;
  const std::size_t count = header.size >= kWithAlpha ? 4 : 3;
  for (std::size_t i = 0; i < count; ++i) header.masks[i] = file.u32le(kInfo + 40 + i * 4);
  if (header.size == kOld) header.end += 12;
}

Header read_header(const PictureBytes& file) {
  constexpr std::array<std::uint32_t, 6> kKnown{40, 52, 56, 64, 108, 124};
  constexpr std::uint32_t kOs2 = 64;
  const std::uint32_t size = file.u32le(kInfo);
  const bool is_core = size == 12;
  if (!is_core && std::ranges::find(kKnown, size) == kKnown.end()) {
    file.unsupported("with a header of " + std::to_string(size) + " bytes");
  }
  file.part(kInfo, size);
  Header header = is_core ? core_header(file) : info_header(file);
  header.size = size;
  header.end = kInfo + size;
  if (header.compression == kBitFields) {
    if (size == kOs2) file.unsupported("of OS/2 with Huffman codes");
    read_masks(file, header);
  }
  return header;
}

std::size_t palette_size(const Header& header) { return header.bits <= 8 ? header.entry * header.colours : 0; }

void find_pixels(const PictureBytes& file, Header& header) {
  if (header.bits <= 8) {
    if (header.colours == 0) header.colours = 1U << header.bits;
    if (header.colours > 256) file.unsupported("with a palette of " + std::to_string(header.colours) + " colours");
  }
  header.pixels_at = file.u32le(10);
  // Some files forget their palette here.
  if (header.pixels_at == kInfo + header.size) header.pixels_at += palette_size(header);
  if (header.pixels_at == 0) header.pixels_at = header.end + palette_size(header);
}

void check_kind(const PictureBytes& file, const Header& header) {
  constexpr std::array<std::uint32_t, 6> kBits{1, 4, 8, 16, 24, 32};
  const std::string bits = std::to_string(header.bits) + " bits a pixel";
  if (std::ranges::find(kBits, header.bits) == kBits.end()) file.unsupported("of " + bits);
  const bool is_rle = header.compression == kRle8 || header.compression == kRle4;
  if (is_rle && header.bits != (header.compression == kRle8 ? 8U : 4U)) file.unsupported("with run lengths of " + bits);
  if (header.compression == kBitFields && header.bits < 16) file.unsupported("with bit fields of " + bits);
  if (header.compression > kBitFields) {
    file.unsupported("with the compression " + std::to_string(header.compression));
  }
}

// Greys in order, or black and white: Pillow then has no palette.
bool is_plain(const PictureBytes& file, const Header& header) {
  for (std::size_t i = 0; i < header.colours; ++i) {
    const std::size_t grey = header.colours == 2 ? i * 255 : i;
    const auto entry = file.part_within(header.end + i * header.entry, 3);
    const auto is_grey = [grey](std::byte value) { return std::to_integer<std::size_t>(value) == grey; };
    if (entry.size() != 3 || !std::ranges::all_of(entry, is_grey)) return false;
  }
  return true;
}

Palette plain_palette(const PictureBytes& file, const Header& header) {
  const bool bilevel = header.colours <= 2;
  if (header.compression == kNone && header.bits != (bilevel ? 1U : 8U)) {
    file.unsupported("of " + std::to_string(header.bits) + " bits a pixel with a palette of " +
                     std::to_string(header.colours) + " greys in order");
  }
  if (!bilevel) return grey_palette();
  Palette palette{};
  std::fill(palette.begin() + 1, palette.end(), Colour{255, 255, 255});
  return palette;
}

Palette read_palette(const PictureBytes& file, const Header& header) {
  if (is_plain(file, header)) return plain_palette(file, header);
  Palette palette{};
  for (std::size_t i = 0; i < header.colours; ++i) {
    const auto entry = file.part_within(header.end + i * header.entry, header.entry);
    if (entry.size() < header.entry) break;
    const std::uint8_t* from = as_uint8(entry);
    palette[i] = {from[2], from[1], from[0]};
  }
  return palette;
}

std::size_t row_of(const Header& header, std::size_t y) {
  return header.from_top ? y : static_cast<std::size_t>(header.height) - 1 - y;
}

// Where rows begin and end; their padding to 4 bytes may be missing behind the last.
class RowReader {
 public:
  RowReader(const PictureBytes& file, const Header& header)
      : file_(file),
        begin_(header.pixels_at),
        used_((static_cast<std::size_t>(header.width) * header.bits + 7) / 8),
        stride_((used_ + 3) / 4 * 4) {}

  const std::uint8_t* row(std::size_t y) const { return as_uint8(file_.part(begin_ + y * stride_, used_)); }

 private:
  const PictureBytes& file_;
  std::size_t begin_, used_, stride_;
};

void put_indices(const std::uint8_t* from, std::uint32_t bits, const Palette& palette, Image& image, std::size_t row) {
  const std::uint32_t mask = (1U << bits) - 1;
  std::uint8_t* to = image.row(static_cast<int>(row));
  for (std::size_t x = 0; x < static_cast<std::size_t>(image.width); ++x, to += 3) {
    const std::size_t bit = x * bits;
    const std::uint32_t index = from[bit / 8] >> (8 - bits - bit % 8) & mask;
    std::ranges::copy(palette[index], to);
  }
}

// Pixels whose colours are fields of a number.
struct Field {
  int shift = 0;
  std::uint32_t most = 0;
  std::uint8_t of(std::uint32_t pixel) const { return static_cast<std::uint8_t>((pixel >> shift & most) * 255 / most); }
};

// Those that Pillow knows; others are refused.
std::array<Field, 3> fields_of(const PictureBytes& file, const Header& header) {
  constexpr std::array<Masks, 7> k32{{{0xFF0000, 0xFF00, 0xFF, 0},
                                      {0xFF000000, 0xFF0000, 0xFF00, 0},
                                      {0xFF000000, 0xFF00, 0xFF, 0},
                                      {0xFF000000, 0xFF0000, 0xFF00, 0xFF},
                                      {0xFF, 0xFF00, 0xFF0000, 0xFF000000},
                                      {0xFF0000, 0xFF00, 0xFF, 0xFF000000},
                                      {0xFF000000, 0xFF00, 0xFF, 0xFF0000}}};
  constexpr std::array<Masks, 1> k24{{{0xFF0000, 0xFF00, 0xFF, 0}}};
  constexpr std::array<Masks, 2> k16{{{0xF800, 0x7E0, 0x1F, 0}, {0x7C00, 0x3E0, 0x1F, 0}}};
  Masks masks = header.masks;
  if (header.bits != 32) masks[3] = 0;
  const std::span<const Masks> known = header.bits == 32   ? std::span<const Masks>(k32)
                                       : header.bits == 24 ? std::span<const Masks>(k24)
                                                           : std::span<const Masks>(k16);
  if (header.compression == kNone) masks = header.bits == 16 ? k16[1] : known[0];
  if (header.bits == 32 && masks == Masks{}) masks = known[0];
  if (std::ranges::find(known, masks) == known.end()) file.unsupported("with such bit fields");
  std::array<Field, 3> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const int shift = std::countr_zero(masks[i]);
    fields[i] = {shift, masks[i] >> shift};
  }
  return fields;
}

void put_pixels(const std::uint8_t* from, std::size_t bytes, const std::array<Field, 3>& fields, Image& image,
                std::size_t row) {
  std::uint8_t* to = image.row(static_cast<int>(row));
  for (int x = 0; x < image.width; ++x, from += bytes) {
    std::uint32_t pixel = 0;
    for (std::size_t i = 0; i < bytes; ++i) pixel |= std::uint32_t{from[i]} << (8 * i);
    for (const Field& field : fields) *to++ = field.of(pixel);
  }
}

// Run lengths to indices, row after row. Stops where the data does.
class RunLengths {
 public:
  RunLengths(const PictureBytes& file, const Header& header)
      : file_(file),
        at_(header.pixels_at),
        half_bytes_(header.compression == kRle4),
        width_(static_cast<std::size_t>(header.width)),
        all_(width_ * static_cast<std::size_t>(header.height)) {
    indices_.reserve(all_);
  }

  std::vector<std::uint8_t> indices() && {
    while (indices_.size() < all_ && at_ + 2 <= file_.size()) {
      const std::uint8_t count = file_.u8(at_), value = file_.u8(at_ + 1);
      at_ += 2;
      if (count > 0) {
        add_run(count, value);
      } else if (value == 0) {
        fill((width_ - indices_.size() % width_) % width_);
        x_ = 0;
      } else if (value == 1 || !(value == 2 ? skip() : add_literals(value))) {
        break;
      }
    }
    return std::move(indices_);
  }

 private:
  void fill(std::size_t count) { indices_.resize(indices_.size() + count); }

  void add_run(std::size_t count, std::uint8_t value) {
    count = std::min(count, width_ - std::min(x_, width_));
    for (std::size_t i = 0; i < count; ++i) {
      indices_.push_back(!half_bytes_ ? value : static_cast<std::uint8_t>(i % 2 == 0 ? value >> 4 : value & 15));
    }
    x_ += count;
  }

  bool skip() {
    if (at_ + 2 > file_.size()) return false;
    const std::size_t right = file_.u8(at_), up = file_.u8(at_ + 1);
    at_ += 2;
    fill(std::min(all_ - indices_.size(), right + up * width_));
    x_ = indices_.size() % width_;
    return true;
  }

  // Padded to an even place in the file.
  bool add_literals(std::size_t count) {
    const std::size_t taken = std::min(all_ - indices_.size(), count);
    const std::size_t wanted = half_bytes_ ? (taken + 1) / 2 : taken;
    const auto bytes = file_.part_within(at_, wanted);
    at_ += bytes.size();
    for (std::size_t i = 0; i < (half_bytes_ ? std::min(taken, bytes.size() * 2) : bytes.size()); ++i) {
      const std::uint8_t byte = as_uint8(bytes)[half_bytes_ ? i / 2 : i];
      indices_.push_back(!half_bytes_ ? byte : static_cast<std::uint8_t>(i % 2 == 0 ? byte >> 4 : byte & 15));
    }
    x_ += count;
    at_ += at_ % 2;
    return bytes.size() == wanted;
  }

  const PictureBytes& file_;
  std::size_t at_;
  bool half_bytes_;
  std::size_t width_, all_, x_ = 0;
  std::vector<std::uint8_t> indices_;
};

void decode_runs(const PictureBytes& file, const Header& header, Image& image) {
  const Palette palette = read_palette(file, header);
  std::vector<std::uint8_t> indices = RunLengths(file, header).indices();
  const auto width = static_cast<std::size_t>(header.width), height = static_cast<std::size_t>(header.height);
  const bool whole = indices.size() >= width * height;
  indices.resize(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    put_indices(indices.data() + y * width, 8, palette, image, row_of(header, y));
  }
  if (!whole) file.damaged("not enough image data");
}

void decode_rows(const PictureBytes& file, const Header& header, Image& image) {
  const RowReader rows(file, header);
  const auto height = static_cast<std::size_t>(header.height);
  if (header.bits <= 8) {
    const Palette palette = read_palette(file, header);
    for (std::size_t y = 0; y < height; ++y) put_indices(rows.row(y), header.bits, palette, image, row_of(header, y));
  } else {
    const std::array<Field, 3> fields = fields_of(file, header);
    for (std::size_t y = 0; y < height; ++y) put_pixels(rows.row(y), header.bits / 8, fields, image, row_of(header, y));
  }
}

// What cannot be decoded at all is refused before memory is taken.
void check_colours(const PictureBytes& file, const Header& header) {
  if (header.bits <= 8) {
    read_palette(file, header);
  } else {
    fields_of(file, header);
  }
}

}  // namespace

Image bmp_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  const PictureBytes file(bytes, name, "BMP");
  Header header = read_header(file);
  check_kind(file, header);
  find_pixels(file, header);
  check_pixels(header.width, header.height, name, options);
  check_colours(file, header);
  Image image = blank_image(header.width, header.height, name);
  try {
    const bool is_rle = header.compression == kRle8 || header.compression == kRle4;
    is_rle ? decode_runs(file, header, image) : decode_rows(file, header, image);
  } catch (const InputError&) {
    if (!options.lenient) throw;
  }
  return image;
}

}  // namespace tessera
