#include "vision/tiff_tags.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace tessera {

namespace {

enum Tag : std::uint32_t {
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kCompression = 259,
  kPhotometric = 262,
  kFillOrder = 266,
  kStripOffsets = 273,
  kOrientation = 274,
  kSamples = 277,
  kRowsOfStrip = 278,
  kStripSizes = 279,
  kPlanes = 284,
  kColourMap = 320,
  kTileWidth = 322,
  kTileHeight = 323,
  kTileOffsets = 324,
  kTileSizes = 325,
  kExtraSamples = 338,
  kSampleFormat = 339,
  kSubsampling = 530,
  kXmp = 700,
};
constexpr std::array kKnown{kWidth,        kHeight,      kBits,         kCompression,  kPhotometric, kFillOrder,
                            kStripOffsets, kOrientation, kSamples,      kStripSizes,   kPlanes,      kColourMap,
                            kTileOffsets,  kTileSizes,   kExtraSamples, kSampleFormat, kSubsampling, kXmp,
                            kRowsOfStrip,  kTileWidth,   kTileHeight};

// Type, count and where the values are.
struct Entry {
  std::uint32_t type = 0;
  std::uint64_t count = 0;
  std::size_t at = 0;
};

class Directory {
 public:
  explicit Directory(const PictureBytes& file) : file_(file) {
    big_endian_ = file.u8(0) == 'M';
    large_ = !big_endian_ && file.u8(2) == 43;  // BigTIFF: 64-bit offsets
    const std::uint64_t start = large_ ? number(8, 8) : number(4, 4);
    if (start >= file.size()) file_.damaged("no directory");
    read_entries(static_cast<std::size_t>(start));
  }

  bool big_endian() const { return big_endian_; }
  bool has(Tag tag) const { return entries_.contains(tag); }
  std::uint64_t count(Tag tag) const { return has(tag) ? entries_.at(tag).count : 0; }

  // At most `most` of them.
  std::vector<std::uint64_t> numbers(Tag tag, std::uint64_t most) const {
    std::vector<std::uint64_t> values;
    if (!has(tag)) return values;
    const Entry& entry = entries_.at(tag);
    const std::size_t size = size_of(entry.type);
    if (size == 0) unusual(tag);
    if (entry.count == 0 || entry.count > most) unusual(tag);
    for (std::size_t i = 0; i < entry.count; ++i) values.push_back(number(entry.at + i * size, size));
    return values;
  }

  std::uint64_t number_or(Tag tag, std::uint64_t absent) const { return has(tag) ? numbers(tag, 1)[0] : absent; }

  std::uint64_t number_of(Tag tag) const {
    if (!has(tag)) file_.unsupported("without the tag " + std::to_string(tag));
    return number_or(tag, 0);
  }

  std::string_view text(Tag tag) const {
    if (!has(tag)) return "";
    const Entry& entry = entries_.at(tag);
    if (entry.type != kByte && entry.type != kUndefined) unusual(tag);
    const auto bytes = file_.part(entry.at, static_cast<std::size_t>(entry.count));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  static constexpr std::uint32_t kByte = 1, kShort = 3, kLong = 4, kUndefined = 7, kLong8 = 16;

  // Of a type whose values Pillow takes for numbers; else 0.
  static std::size_t size_of(std::uint32_t type) {
    return type == kShort ? 2 : type == kLong ? 4 : type == kLong8 ? 8 : 0;
  }

  // Where it is 0 the values are not looked at.
  static std::size_t stored_size(std::uint32_t type) { return type == kByte || type == kUndefined ? 1 : size_of(type); }

  [[noreturn]] void unusual(std::uint32_t tag) const {
    file_.unsupported("with an unusual tag " + std::to_string(tag));
  }

  std::uint64_t number(std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = big_endian_ ? size - 1 - i : i;
      value |= std::uint64_t{file_.u8(at + i)} << (8 * place);
    }
    return value;
  }

  void read_entries(std::size_t start) {
    const std::size_t count_size = large_ ? 8 : 2, entry_size = large_ ? 20 : 12;
    const std::uint64_t count = number(start, count_size);
    if (count > file_.size() / entry_size) file_.damaged("the file ends too early");
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = start + count_size + i * entry_size;
      const auto tag = static_cast<std::uint32_t>(number(at, 2));
      const Entry entry = read_entry(at + 2);
      if (std::ranges::find(kKnown, tag) == kKnown.end()) continue;
      if (!entries_.emplace(tag, entry).second) unusual(tag);  // twice
    }
  }

  Entry read_entry(std::size_t at) {
    const std::size_t field = large_ ? 8 : 4;
    Entry entry{
        .type = static_cast<std::uint32_t>(number(at, 2)), .count = number(at + 2, field), .at = at + 2 + field};
    if (entry.count > file_.size()) too_much_data();
    const std::uint64_t size = entry.count * stored_size(entry.type);
    if (size <= field) return entry;
    data_size_ += size;
    const std::uint64_t place = number(entry.at, field);
    if (data_size_ > file_.size() || place > file_.size() || size > file_.size() - place) too_much_data();
    entry.at = static_cast<std::size_t>(place);
    return entry;
  }

  // Pillow leaves such tags out, known ones or not, and those behind them.
  [[noreturn]] void too_much_data() const { file_.damaged("more tags than the file has room for"); }

  const PictureBytes& file_;
  bool big_endian_ = false, large_ = false;
  std::uint64_t data_size_ = 0;
  std::map<std::uint32_t, Entry> entries_;
};

// All the reds, then the greens, then the blues, of 16 bits.
Palette palette_of(const PictureBytes& file, const Directory& directory, std::uint64_t bits) {
  const std::size_t count = bits <= 8 ? std::size_t{1} << bits : 0;
  const std::vector<std::uint64_t> map = directory.numbers(kColourMap, 768);
  if (count == 0 || map.size() != count * 3) file.unsupported("with a colour map of another length");
  Palette palette{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      palette[i][channel] = static_cast<std::uint8_t>(map[channel * count + i] / 256);
    }
  }
  return palette;
}

// tiff:Orientation="6" or <tiff:Orientation>6; 1 where it says nothing.
std::uint64_t orientation_in(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (!rest.starts_with("=\"") && !rest.starts_with(">")) continue;
    rest.remove_prefix(rest.front() == '>' ? 1 : 2);
    if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9')
      return static_cast<std::uint64_t>(rest.front() - '0');
  }
  return 1;
}

}  // namespace

TiffTags tiff_tags(const PictureBytes& file) {
  constexpr std::uint64_t kMostSamples = 6;
  const Directory directory(file);
  TiffTags tags{.big_endian = directory.big_endian()};
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 32;  // which is too long already
  tags.width = static_cast<std::int64_t>(std::min(directory.number_of(kWidth), kLongest));
  tags.height = static_cast<std::int64_t>(std::min(directory.number_of(kHeight), kLongest));
  if (directory.has(kBits)) tags.bits = directory.numbers(kBits, kMostSamples);
  tags.samples = directory.number_or(kSamples, 1);
  tags.extra = directory.numbers(kExtraSamples, kMostSamples);
  tags.sample_formats = directory.numbers(kSampleFormat, kMostSamples);
  tags.compression = directory.number_or(kCompression, 1);
  tags.photometric = directory.number_of(kPhotometric);
  tags.fill_order = directory.number_or(kFillOrder, 1);
  tags.planes = directory.number_or(kPlanes, 1);
  tags.tiled = directory.has(kTileOffsets);
  if (tags.tiled == directory.has(kStripOffsets)) file.unsupported("with both strips and tiles, or neither");
  for (const Tag tag : {kRowsOfStrip, kTileWidth, kTileHeight})
    directory.number_or(tag, 0);  // one number each, or none
  tags.offsets = directory.count(tags.tiled ? kTileOffsets : kStripOffsets);
  // What libtiff would guess for missing ones is not Pillow's guess.
  if (directory.count(tags.tiled ? kTileSizes : kStripSizes) != tags.offsets)
    file.unsupported("without its strips' sizes");
  tags.subsampling = directory.numbers(kSubsampling, 2);
  tags.orientation =
      directory.has(kOrientation) ? directory.number_of(kOrientation) : orientation_in(directory.text(kXmp));
  constexpr std::uint64_t kByIndex = 3;
  if (tags.photometric == kByIndex) tags.palette = palette_of(file, directory, tags.bits[0]);
  return tags;
}

}  // namespace tessera
