#include "vision/tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "core/error.h"
#include "vision/picture_bytes.h"
#include "vision/pixel_limit.h"
#include "vision/tiff_pixels.h"
#include "vision/tiff_tags.h"

namespace tessera {

namespace {

// A file in memory that libtiff reads, and what it complains of.
class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // What was said before the pixels, of a file that could be opened, is about tags that none follows from.
  void begin_pixels() {
    in_pixels_ = true;
    message_[0] = '\0';
  }
  bool has_complained() const { return message_[0] != '\0'; }
  const char* message() const { return message_.data(); }

  TIFF* open(TIFFOpenOptions* options) {
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, this);
    // "c": strips stay as the file has them.
    return TIFFClientOpenExt("picture", "rc", this, read, write, seek, close, size, map, unmap, options);
  }

 private:
  void keep(const char* format, va_list values) {
    if (!has_complained()) std::vsnprintf(message_.data(), message_.size(), format, values);
  }
  static int on_error(TIFF*, void* source, const char*, const char* format, va_list values) {
    static_cast<Source*>(source)->keep(format, values);
    return 1;  // nothing is printed
  }
  static int on_warning(TIFF*, void* source, const char*, const char* format, va_list values) {
    if (static_cast<Source*>(source)->in_pixels_) static_cast<Source*>(source)->keep(format, values);
    return 1;
  }

  static Source& of(thandle_t handle) { return *static_cast<Source*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t size) {
    Source& source = of(handle);
    const std::size_t begin = std::min<std::size_t>(source.at_, source.bytes_.size());
    const std::size_t count =
        std::min(static_cast<std::size_t>(std::max<tmsize_t>(size, 0)), source.bytes_.size() - begin);
    if (count > 0) std::memcpy(to, source.bytes_.data() + begin, count);
    source.at_ = begin + count;
    return static_cast<tmsize_t>(count);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    Source& source = of(handle);
    source.at_ = offset + (from == SEEK_CUR ? source.at_ : from == SEEK_END ? source.bytes_.size() : 0);
    return source.at_;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes_.size(); }
  // libtiff only reads what is mapped.
  static int map(thandle_t handle, void** base, toff_t* size) {
    *base = const_cast<std::byte*>(of(handle).bytes_.data());
    *size = of(handle).bytes_.size();
    return 1;
  }
  static void unmap(thandle_t, void*, toff_t) {}

  std::span<const std::byte> bytes_;
  toff_t at_ = 0;
  bool in_pixels_ = false;
  std::array<char, 200> message_{};
};

using Handle = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Handle open(Source& source, std::size_t most_memory, const PictureBytes& file) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most_memory));
  Handle tiff(source.open(options.get()), TIFFClose);
  if (tiff == nullptr) file.damaged(source.message());
  return tiff;
}

template <typename Number>
std::size_t field(TIFF* tiff, std::uint32_t tag) {
  Number value{};
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return static_cast<std::size_t>(value);
}

// libtiff and tiff_tags() must speak of the same pixels.
void check_agreement(TIFF* tiff, const TiffTags& tags, const PictureBytes& file) {
  const bool agree = field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH) == static_cast<std::size_t>(tags.width) &&
                     field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH) == static_cast<std::size_t>(tags.height) &&
                     field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE) == tags.bits[0] &&
                     field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL) == tags.samples &&
                     field<std::uint16_t>(tiff, TIFFTAG_COMPRESSION) == tags.compression &&
                     (TIFFIsTiled(tiff) != 0) == tags.tiled;
  if (!agree) file.damaged("two meanings of its tags");
}

// A strip or a tile: strips are as wide as the picture.
struct Blocks {
  std::size_t width = 0, height = 0;  // of one, in pixels
  std::size_t row_bytes = 0, bytes = 0;
};

Blocks blocks_of(TIFF* tiff, const TiffTags& tags, const TiffPixels& pixels, const PictureBytes& file) {
  Blocks blocks;
  if (tags.tiled) {
    blocks.width = field<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH);
    blocks.height = field<std::uint32_t>(tiff, TIFFTAG_TILELENGTH);
    blocks.row_bytes = static_cast<std::size_t>(std::max<tmsize_t>(TIFFTileRowSize(tiff), 0));
    blocks.bytes = static_cast<std::size_t>(std::max<tmsize_t>(TIFFTileSize(tiff), 0));
  } else {
    const auto height = static_cast<std::size_t>(tags.height);
    blocks.width = static_cast<std::size_t>(tags.width);
    blocks.height = std::min(field<std::uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP), height);
    blocks.row_bytes = static_cast<std::size_t>(std::max<tmsize_t>(TIFFScanlineSize(tiff), 0));
    blocks.bytes = static_cast<std::size_t>(std::max<tmsize_t>(TIFFStripSize(tiff), 0));
  }
  const std::size_t samples = pixels.separate ? 1 : pixels.samples;
  const std::size_t needed = (blocks.width * samples * pixels.bits + 7) / 8;
  if (blocks.width == 0 || blocks.height == 0 || blocks.row_bytes != needed ||
      blocks.bytes != blocks.row_bytes * blocks.height) {
    file.damaged("strips or tiles of an odd size");
  }
  return blocks;
}

constexpr std::size_t kSmall = std::size_t{64} << 20;  // memory for whatever picture

// Reads block after block, of one plane.
class Reader {
 public:
  Reader(TIFF* tiff, const Source& source, const TiffTags& tags, const Blocks& blocks)
      : tiff_(tiff), source_(source), tags_(tags), blocks_(blocks) {}

  // False where it fails or libtiff complains. `take(row, x, y, count)` gets rows of blocks.
  template <typename Take>
  bool read_plane(std::size_t plane, Take take) {
    std::vector<std::uint8_t> buffer(blocks_.bytes);
    bool whole = true;
    const auto width = static_cast<std::size_t>(tags_.width), height = static_cast<std::size_t>(tags_.height);
    for (std::size_t y = 0; y < height; y += blocks_.height) {
      for (std::size_t x = 0; x < width; x += blocks_.width) {
        std::ranges::fill(buffer, std::uint8_t{0});
        whole &= read_block(x, y, plane, buffer);
        for (std::size_t row = 0; row < std::min(blocks_.height, height - y); ++row) {
          take(buffer.data() + row * blocks_.row_bytes, x, y + row, std::min(blocks_.width, width - x));
        }
      }
    }
    return whole && !source_.has_complained();
  }

 private:
  // Of a block beyond the file's end libtiff says nothing, but that it fails.
  bool read_block(std::size_t x, std::size_t y, std::size_t plane, std::vector<std::uint8_t>& buffer) {
    const auto column = static_cast<std::uint32_t>(x), row = static_cast<std::uint32_t>(y);
    const auto sample = static_cast<std::uint16_t>(plane);
    const auto size = static_cast<tmsize_t>(buffer.size());
    const tmsize_t read =
        tags_.tiled ? TIFFReadEncodedTile(tiff_, TIFFComputeTile(tiff_, column, row, 0, sample), buffer.data(), size)
                    : TIFFReadEncodedStrip(tiff_, TIFFComputeStrip(tiff_, row, sample), buffer.data(), size);
    return read >= 0;
  }

  TIFF* tiff_;
  const Source& source_;
  const TiffTags& tags_;
  const Blocks& blocks_;
};

bool read_together(Reader& reader, const TiffPixels& pixels, const Palette& palette, Image& image) {
  return reader.read_plane(0, [&](const std::uint8_t* row, std::size_t x, std::size_t y, std::size_t count) {
    tiff_row_to_rgb(pixels, palette, row, count, image.row(static_cast<int>(y)) + x * 3);
  });
}

bool read_separate(Reader& reader, const TiffPixels& pixels, Image& image) {
  const std::size_t step = pixels.planes, width = static_cast<std::size_t>(image.width);
  std::vector<std::uint8_t> samples(image.pixels.size() / 3 * step);
  bool whole = true;
  for (std::size_t plane = 0; plane < pixels.planes; ++plane) {
    whole &= reader.read_plane(plane, [&](const std::uint8_t* row, std::size_t x, std::size_t y, std::size_t count) {
      tiff_plane_to_samples(pixels, row, count, step, samples.data() + (y * width + x) * step + plane);
    });
  }
  tiff_samples_to_rgb(pixels, samples.data(), step, image.pixels.size() / 3, image.pixels.data());
  return whole;
}

// libtiff converts, as for Pillow, by the file's own coefficients.
bool read_ycbcr(TIFF* tiff, const Source& source, Image& image) {
  std::array<char, 1024> reason{};
  TIFFRGBAImage reader{};
  if (TIFFRGBAImageOK(tiff, reason.data()) == 0 || TIFFRGBAImageBegin(&reader, tiff, 0, reason.data()) == 0)
    return false;
  reader.orientation = ORIENTATION_TOPLEFT;
  reader.req_orientation = ORIENTATION_TOPLEFT;
  std::vector<std::uint32_t> raster(image.pixels.size() / 3);
  const int done = TIFFRGBAImageGet(&reader, raster.data(), static_cast<std::uint32_t>(image.width),
                                    static_cast<std::uint32_t>(image.height));
  TIFFRGBAImageEnd(&reader);
  std::uint8_t* to = image.pixels.data();
  for (const std::uint32_t pixel : raster) {
    *to++ = static_cast<std::uint8_t>(TIFFGetR(pixel));
    *to++ = static_cast<std::uint8_t>(TIFFGetG(pixel));
    *to++ = static_cast<std::uint8_t>(TIFFGetB(pixel));
  }
  return done != 0 && !source.has_complained();
}

// Rows become columns in every second half of the orientations.
Image oriented(Image image, std::uint64_t orientation, const std::string& name) {
  if (orientation < 2 || orientation > 8) return image;
  const bool turned = orientation >= 5;
  const int width = image.width, height = image.height;
  Image out = turned ? blank_image(height, width, name) : blank_image(width, height, name);
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const int column = turned ? y : x, row = turned ? x : y;
      const std::uint8_t* from = image.row(from_below ? height - 1 - row : row);
      std::copy_n(from + std::size_t{3} * static_cast<std::size_t>(from_right ? width - 1 - column : column), 3,
                  out.row(y) + std::size_t{3} * static_cast<std::size_t>(x));
    }
  }
  return out;
}

// Pillow reads as many strips or tiles as the file lists, libtiff as many as the picture takes.
void check_count(TIFF* tiff, const TiffTags& tags, const PictureBytes& file) {
  const std::uint32_t count = tags.tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  if (count != tags.offsets) file.damaged("a table of strips or tiles of another length");
}

}  // namespace

Image tiff_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  const PictureBytes file(bytes, name, "TIFF");
  const TiffTags tags = tiff_tags(file);
  check_pixels(tags.width, tags.height, name, options);
  const TiffPixels pixels = tiff_pixels(file, tags);
  const auto count = static_cast<std::size_t>(tags.width * tags.height);
  const std::size_t most_memory = std::max(kSmall, count * 16 + bytes.size());
  Source source(bytes);
  const Handle tiff = open(source, most_memory, file);
  check_agreement(tiff.get(), tags, file);
  check_count(tiff.get(), tags, file);
  const bool is_jpeg = tags.compression == kTiffJpeg && pixels.colour == TiffColour::kYcbcr;
  TiffPixels as_read = pixels;
  if (is_jpeg) {  // libjpeg converts
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    as_read.colour = TiffColour::kRgb;
  }
  // Debian's libtiff takes libdeflate otherwise, which leaves out the end of a strip that holds more than it should.
  if (tags.compression == COMPRESSION_ADOBE_DEFLATE || tags.compression == COMPRESSION_DEFLATE) {
    TIFFSetField(tiff.get(), TIFFTAG_DEFLATE_SUBCODEC, DEFLATE_SUBCODEC_ZLIB);
  }
  const Blocks blocks = blocks_of(tiff.get(), tags, as_read, file);
  if (blocks.bytes > most_memory) file.unsupported("with tiles so much larger than the picture");
  Image image = blank_image(tags.width, tags.height, name);
  source.begin_pixels();
  Reader reader(tiff.get(), source, tags, blocks);
  bool whole = false;
  if (as_read.colour == TiffColour::kYcbcr && tags.compression != kTiffRaw) {
    whole = read_ycbcr(tiff.get(), source, image);
  } else if (pixels.separate) {
    whole = read_separate(reader, as_read, image);
  } else {
    whole = read_together(reader, as_read, tags.palette, image);
  }
  if (!whole && !options.lenient) file.damaged(source.has_complained() ? source.message() : "not enough image data");
  return oriented(std::move(image), tags.orientation, name);
}

}  // namespace tessera
