#include "vision/png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/error.h"
#include "vision/pixel_limit.h"
#include "vision/png_chunks.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::array<unsigned char, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

constexpr std::array<unsigned char, 16> kEnd{0, 0, 0, 0, 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0, 0, 0, 0};  // behind IDAT

// A PNG file made of the parts of another one. libpng is told not to look at checksums, which are zeros.
class Stream {
 public:
  explicit Stream(const PngChunks& chunks) {
    const auto* const signature = reinterpret_cast<const std::byte*>(kSignature.data());
    start_.assign(signature, signature + kSignature.size());
    add_chunk("IHDR", chunks.header);
    if (chunks.colour_type() == PNG_COLOR_TYPE_PALETTE) {
      // As many entries as there are indices, so that none can lie outside.
      std::vector<std::byte> palette(std::size_t{3} << std::min(chunks.depth(), 8));
      const std::size_t known = std::min(chunks.palette.size() / 3 * 3, palette.size());
      std::copy_n(chunks.palette.begin(), known, palette.begin());
      add_chunk("PLTE", palette);
    }
    std::size_t length = 0;
    for (const Bytes piece : chunks.data) length += piece.size();
    add_start("IDAT", length);
    pieces_.push_back(start_);
    pieces_.insert(pieces_.end(), chunks.data.begin(), chunks.data.end());
    pieces_.push_back(std::as_bytes(std::span(kEnd)));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // False at the end.
  bool read(png_bytep to, std::size_t size) noexcept {
    while (size > 0) {
      if (piece_ == pieces_.size()) return false;
      const std::size_t part = std::min(size, pieces_[piece_].size() - at_);
      if (part > 0) std::memcpy(to, pieces_[piece_].data() + at_, part);
      to += part;
      size -= part;
      at_ += part;
      if (at_ == pieces_[piece_].size()) {
        ++piece_;
        at_ = 0;
      }
    }
    return true;
  }

 private:
  void add_number(std::size_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) start_.push_back(static_cast<std::byte>(number >> shift));
  }
  void add_start(const char* kind, std::size_t length) {
    add_number(length);
    const auto* const letters = reinterpret_cast<const std::byte*>(kind);
    start_.insert(start_.end(), letters, letters + 4);
  }
  void add_chunk(const char* kind, Bytes data) {
    add_start(kind, data.size());
    start_.insert(start_.end(), data.begin(), data.end());
    add_number(0);
  }

  std::vector<std::byte> start_;  // up to the image data
  std::vector<Bytes> pieces_;
  std::size_t piece_ = 0, at_ = 0;
};

// libpng reports errors through a callback that must not return; it jumps back into read_pixels().
struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::array<char, 200> message{};

  explicit Reader(Stream& stream) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
    if (info == nullptr) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png, &stream, read);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

 private:
  static void on_error(png_structp png, png_const_charp reason) {
    auto* const reader = static_cast<Reader*>(png_get_error_ptr(png));
    std::snprintf(reader->message.data(), reader->message.size(), "%s", reason);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep to, std::size_t size) {
    if (!static_cast<Stream*>(png_get_io_ptr(png))->read(to, size)) png_error(png, "not enough image data");
  }
};

// The functions below hold no object with a destructor: longjmp leaves them without running any.

void ask_for_rgb(png_structp png, int colour_type, int depth) {
  if (colour_type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour_type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (depth == 16) png_set_strip_16(png);
  if ((colour_type & PNG_COLOR_MASK_ALPHA) != 0) png_set_strip_alpha(png);
  if ((colour_type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(png);
}

// Fills the rows, which are wide enough for `row_bytes` each: RGB, or 16 bits of grey.
bool read_pixels(Reader& reader, bool grey16, std::size_t row_bytes, png_bytepp rows) {
  constexpr png_uint_32 kLargest = 0x7FFFFFFF;
  png_structp png = reader.png;
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_user_limits(png, kLargest, kLargest);
  png_set_option(png, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON);  // whatever window the file declares
  png_set_benign_errors(png, 1);                                   // data behind the last row
  png_read_info(png, reader.info);
  if (!grey16) ask_for_rgb(png, png_get_color_type(png, reader.info), png_get_bit_depth(png, reader.info));
  png_set_interlace_handling(png);
  png_read_update_info(png, reader.info);
  if (png_get_rowbytes(png, reader.info) != row_bytes) png_error(png, "rows of another length");
  png_read_image(png, rows);
  return true;
}

bool read_rows(Reader& reader, bool grey16, std::vector<std::uint8_t>& pixels, std::int64_t height) {
  const std::size_t stride = pixels.size() / static_cast<std::size_t>(height);
  std::vector<png_bytep> rows;
  rows.reserve(static_cast<std::size_t>(height));
  for (std::int64_t y = 0; y < height; ++y) rows.push_back(pixels.data() + static_cast<std::size_t>(y) * stride);
  return read_pixels(reader, grey16, stride, rows.data());
}

// Pillow's: values above 255 are 255.
void clip_grey16(const std::vector<std::uint8_t>& grey, std::vector<std::uint8_t>& rgb) {
  std::uint8_t* to = rgb.data();
  for (std::size_t i = 0; i < grey.size(); i += 2, to += 3) std::fill_n(to, 3, grey[i] == 0 ? grey[i + 1] : 255);
}

}  // namespace

Image png_decode(Bytes bytes, const std::string& name, const DecodeOptions& options) {
  const PngChunks chunks = png_chunks(bytes, name, options.lenient);
  check_pixels(chunks.width(), chunks.height(), name, options);
  Image image = blank_image(chunks.width(), chunks.height(), name);
  Stream stream(chunks);
  Reader reader(stream);
  bool whole = false;
  if (chunks.colour_type() == PNG_COLOR_TYPE_GRAY && chunks.depth() == 16) {
    std::vector<std::uint8_t> grey(image.pixels.size() / 3 * 2);
    whole = read_rows(reader, true, grey, image.height);
    clip_grey16(grey, image.pixels);
  } else {
    whole = read_rows(reader, false, image.pixels, image.height);
  }
  if (!whole && !options.lenient) throw InputError(name + ": damaged PNG (" + reader.message.data() + ")");
  return image;
}

}  // namespace tessera
