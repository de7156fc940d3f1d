#include "vision/tiff_pixels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace tessera {

namespace {

enum Photometric : std::uint64_t {
  kWhiteIsZero = 0,
  kBlackIsZero = 1,
  kRgbColours = 2,
  kPalette = 3,
  kSeparated = 5,
  kYcc = 6
};
enum Extra : std::uint64_t { kUnspecified = 0, kAssociated = 1, kUnassociated = 2, kCorel = 999 };
constexpr std::uint64_t kUnsigned = 1, kSigned = 2, kFloating = 3;

class Chooser {
 public:
  Chooser(const PictureBytes& file, const TiffTags& tags) : file_(file), tags_(tags) {
    for (const std::uint64_t bits : tags.bits) {
      if (bits != tags.bits[0]) refuse("of samples of different lengths");
    }
    for (const std::uint64_t format : tags.sample_formats) {
      if (format != tags.sample_formats[0]) refuse("of samples of different kinds");
    }
    bits_ = tags.bits[0];
    format_ = tags.sample_formats.empty() ? kUnsigned : tags.sample_formats[0];
    raw_ = tags.compression == kTiffRaw;
    separate_ = tags.planes == 2 && tags.samples > 1;
    if (tags.planes != 1 && !(tags.planes == 2 && (separate_ || one_plane_is_read()))) {
      refuse("with an unusual planar configuration");
    }
    if (tags.fill_order != 1 && tags.fill_order != 2) refuse("with an unusual fill order");
    if (tags.bits.size() != tags.samples && (tags.bits.size() != 1 || separate_)) refuse(of_samples());
    if (tags.samples < 1 || tags.samples > 6) refuse(of_samples());
  }

  TiffPixels choose() {
    check_compression();
    TiffPixels pixels{.bits = static_cast<std::size_t>(bits_),
                      .samples = static_cast<std::size_t>(tags_.samples),
                      .format = format_,
                      .separate = separate_};
    switch (tags_.photometric) {
      case kWhiteIsZero:
      case kBlackIsZero:
        check_grey();
        // Pillow does not turn greys of more than 8 bits around.
        pixels.white_is_zero = tags_.photometric == kWhiteIsZero && bits_ <= 8;
        break;
      case kPalette:
        check_palette();
        pixels.colour = TiffColour::kIndex;
        break;
      case kRgbColours:
        check_colours(3);
        pixels.colour = extra() == kAssociated ? TiffColour::kRgbTimesAlpha : TiffColour::kRgb;
        break;
      case kSeparated:
        check_colours(4);
        pixels.colour = TiffColour::kCmyk;
        break;
      case kYcc:
        check_ycbcr();
        pixels.colour = TiffColour::kYcbcr;
        break;
      default:
        refuse("with the photometric interpretation " + std::to_string(tags_.photometric));
    }
    if (separate_) pixels.planes = planes_of(pixels.colour);
    return pixels;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { file_.unsupported(what); }
  std::string of_samples() const {
    return "of " + std::to_string(tags_.samples) + " samples a pixel of " + std::to_string(bits_) +
           " bits, photometric interpretation " + std::to_string(tags_.photometric);
  }
  void require(bool known) const {
    if (!known) refuse(of_samples() + ", sample format " + std::to_string(format_));
  }
  std::uint64_t extra() const { return tags_.extra.empty() ? kUnspecified : tags_.extra[0]; }
  bool fills_forward() const { return tags_.fill_order == 1; }

  // Pillow takes the first letter of how pixels are stored for all of it: 1, L or P, but not L;2 or 1;I.
  bool one_plane_is_read() const {
    const bool grey = tags_.photometric == kBlackIsZero && (bits_ == 1 || bits_ == 8);
    return !raw_ ||
           (format_ == kUnsigned && fills_forward() && (grey || (tags_.photometric == kPalette && bits_ == 8)));
  }

  void check_compression() const {
    constexpr std::uint64_t kFaxFirst = 2, kFaxLast = 4, kDeflate = 32946;
    constexpr std::array<std::uint64_t, 9> kKnown{kTiffRaw, 2, 3, 4, 5, kTiffJpeg, 8, 32773, kDeflate};
    const std::uint64_t compression = tags_.compression;
    // Of damaged Zstandard data older versions of its library make other pictures than those of Pillow, without a word.
    constexpr std::uint64_t kZstandard = 50000;
    if (std::ranges::find(kKnown, compression) == kKnown.end()) {
      refuse("with the compression " + std::to_string(compression) + (compression == kZstandard ? " (Zstandard)" : ""));
    }
    const bool is_fax = compression >= kFaxFirst && compression <= kFaxLast;
    if (is_fax && (bits_ != 1 || tags_.samples != 1)) refuse("with CCITT compression of more than black and white");
    if (compression == kTiffJpeg && (bits_ != 8 || format_ != kUnsigned))
      refuse("with JPEG of samples of unusual kinds");
  }

  // Pillow takes what libtiff has put into this machine's order for the file's order again.
  void check_order() const {
    if (!raw_ && tags_.big_endian) refuse("of compressed big-endian samples of this kind");
  }

  void check_grey() const {
    const bool black_is_zero = tags_.photometric == kBlackIsZero;
    if (separate_) refuse("of grey in separate planes");
    if (tags_.samples == 2) {
      require(black_is_zero && bits_ == 8 && format_ == kUnsigned && fills_forward() && tags_.extra.size() == 1 &&
              (extra() == kUnspecified || extra() == kUnassociated));
      return;
    }
    require(tags_.samples == 1 && tags_.extra.empty());
    if (format_ == kUnsigned && (bits_ == 1 || bits_ == 2 || bits_ == 4 || bits_ == 8)) {
      return require(!(raw_ && bits_ == 8 && !black_is_zero && !fills_forward()));
    }
    if (format_ == kUnsigned && bits_ == 16) {
      const bool little = !tags_.big_endian;
      return require(fills_forward() ? little || black_is_zero : little && black_is_zero);
    }
    require(fills_forward());
    if (format_ == kUnsigned && bits_ == 12) return require(!tags_.big_endian && black_is_zero);
    if (format_ == kUnsigned && bits_ == 32) return require(!tags_.big_endian && black_is_zero);
    if (format_ == kSigned && bits_ == 8) return require(black_is_zero);
    require((format_ == kSigned && (bits_ == 16 || bits_ == 32) && black_is_zero) ||
            (format_ == kFloating && bits_ == 32));
    check_order();
  }

  void check_palette() const {
    require(format_ == kUnsigned && !separate_);
    if (tags_.samples == 2) {
      return require(bits_ == 8 && fills_forward() && tags_.extra.size() == 1 &&
                     (extra() == kUnspecified || extra() == kUnassociated));
    }
    require(tags_.samples == 1 && tags_.extra.empty() && (bits_ == 1 || bits_ == 2 || bits_ == 4 || bits_ == 8));
    require(fills_forward() || !raw_ || bits_ == 8);
  }

  // Pillow drops them before it looks at separate planes.
  bool extras_are_unspecified() const {
    return std::ranges::all_of(tags_.extra, [](std::uint64_t value) { return value == kUnspecified; });
  }

  // RGB or CMYK and what may stand behind it.
  void check_colours(std::uint64_t colours) const {
    require(format_ == kUnsigned && (bits_ == 8 || bits_ == 16));
    require(fills_forward() || (colours == 3 && bits_ == 8 && tags_.samples == 3 && !separate_));
    const std::uint64_t others = tags_.samples - std::min(tags_.samples, colours);
    require(tags_.samples >= colours);
    const bool nameless_alpha = colours == 3 && others == 1 && tags_.extra.empty();
    require(tags_.extra.size() == others || nameless_alpha);
    require(others <= (colours == 4 ? 2 : 3) && (bits_ == 8 || others <= (colours == 4 ? 0U : 1U)));
    if (colours == 4) require(extras_are_unspecified());
    if (colours == 3 && others > 0) check_alpha(others);
    if (separate_) check_planes(others, nameless_alpha);
  }

  void check_alpha(std::uint64_t others) const {
    const std::uint64_t first = extra();
    require(first <= kUnassociated || (first == kCorel && others == 1 && bits_ == 8));
    for (std::size_t i = 1; i < tags_.extra.size(); ++i) require(tags_.extra[i] == kUnspecified);
  }

  void check_planes(std::uint64_t others, bool nameless_alpha) const {
    if (nameless_alpha || tags_.compression == kTiffJpeg) refuse("of separate planes of this kind");
    const bool dropped = !tags_.extra.empty() && extras_are_unspecified();
    if (raw_ && (bits_ != 8 || dropped || extra() == kAssociated)) refuse("of separate planes of this kind");
    if (!dropped && others > 1) refuse("of separate planes of this kind");
  }

  std::size_t planes_of(TiffColour colour) const {
    if (colour == TiffColour::kCmyk) return 4;
    return tags_.extra.empty() || extras_are_unspecified() ? 3 : 4;
  }

  void check_ycbcr() const {
    require(bits_ == 8 && format_ == kUnsigned && tags_.samples == 3 && tags_.extra.empty() && fills_forward());
    if (separate_) refuse("of YCbCr in separate planes");
    if (tags_.compression == kTiffJpeg) return;
    const bool whole = tags_.subsampling == std::vector<std::uint64_t>{1, 1};
    if (!whole) refuse("of YCbCr with coarser colours, but for JPEG inside,");
  }

  const PictureBytes& file_;
  const TiffTags& tags_;
  std::uint64_t bits_ = 0, format_ = 0;
  bool raw_ = false, separate_ = false;
};

std::uint8_t clipped(std::int64_t value) { return static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255)); }

template <typename Number>
Number number_at(const std::uint8_t* row, std::size_t i) {
  Number value;
  std::memcpy(&value, row + i * sizeof(Number), sizeof(Number));
  return value;
}

// Of `bits` each, the first in the highest; 12 at the most.
std::uint32_t packed(const std::uint8_t* row, std::size_t i, std::size_t bits) {
  std::uint32_t value = 0;
  for (std::size_t bit = i * bits; bit < (i + 1) * bits; ++bit)
    value = value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1U);
  return value;
}

std::uint8_t floating(float value) {
  if (!(value > 0)) return 0;  // what is no number too
  return value >= 255 ? 255 : static_cast<std::uint8_t>(value);
}

std::uint8_t grey_at(const TiffPixels& pixels, const std::uint8_t* row, std::size_t i) {
  if (pixels.format == kFloating) return floating(number_at<float>(row, i));
  if (pixels.bits == 32) return clipped(number_at<std::int32_t>(row, i));  // unsigned too, in Pillow
  if (pixels.bits == 16 && pixels.format == kSigned) return clipped(number_at<std::int16_t>(row, i));
  if (pixels.bits == 16) return clipped(number_at<std::uint16_t>(row, i));
  if (pixels.bits == 12) return clipped(packed(row, i, 12));
  const std::uint32_t value = pixels.bits == 8 ? row[i * pixels.samples] : packed(row, i, pixels.bits);
  const auto grey = static_cast<std::uint8_t>(value * 255 / ((1U << pixels.bits) - 1));
  return pixels.white_is_zero ? static_cast<std::uint8_t>(255 - grey) : grey;
}

std::size_t index_at(const TiffPixels& pixels, const std::uint8_t* row, std::size_t i) {
  return pixels.bits == 8 ? row[i * pixels.samples] : packed(row, i, pixels.bits);
}

void times_alpha_to_rgb(const std::uint8_t* rgba, std::uint8_t* rgb) {
  const int alpha = rgba[3];
  for (std::size_t channel = 0; channel < 3; ++channel) {
    rgb[channel] = alpha == 0 ? std::uint8_t{0} : clipped(rgba[channel] * 255 / alpha);
  }
}

// (255 - K) - C * (255 - K) / 255, rounded.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb) {
  const int white = 255 - cmyk[3];
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const int product = cmyk[channel] * white + 128;
    rgb[channel] = static_cast<std::uint8_t>(white - (((product >> 8) + product) >> 8));
  }
}

// Pillow's: JFIF's, in steps of 1/64.
void ycbcr_to_rgb(const std::uint8_t* ycbcr, std::uint8_t* rgb) {
  const auto part = [](double factor, std::uint8_t value) {
    return static_cast<int>(factor * 64 * (value - 128) + 0.5);
  };
  const int y = ycbcr[0];
  const std::uint8_t cb = ycbcr[1], cr = ycbcr[2];
  rgb[0] = clipped(y + (part(1.402, cr) >> 6));
  rgb[1] = clipped(y + ((part(-0.344137, cb) + part(-0.71414, cr)) >> 6));
  rgb[2] = clipped(y + (part(1.772, cb) >> 6));
}

}  // namespace

TiffPixels tiff_pixels(const PictureBytes& file, const TiffTags& tags) { return Chooser(file, tags).choose(); }

void tiff_plane_to_samples(const TiffPixels& pixels, const std::uint8_t* row, std::size_t count, std::size_t step,
                           std::uint8_t* samples) {
  for (std::size_t i = 0; i < count; ++i, samples += step) {
    *samples = pixels.bits == 8 ? row[i] : static_cast<std::uint8_t>(number_at<std::uint16_t>(row, i) >> 8);
  }
}

void tiff_samples_to_rgb(const TiffPixels& pixels, const std::uint8_t* samples, std::size_t step, std::size_t count,
                         std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i, samples += step, rgb += 3) {
    switch (pixels.colour) {
      case TiffColour::kRgbTimesAlpha:
        times_alpha_to_rgb(samples, rgb);
        break;
      case TiffColour::kCmyk:
        cmyk_to_rgb(samples, rgb);
        break;
      case TiffColour::kYcbcr:
        ycbcr_to_rgb(samples, rgb);
        break;
      default:
        std::copy_n(samples, 3, rgb);
    }
  }
}

void tiff_row_to_rgb(const TiffPixels& pixels, const Palette& palette, const std::uint8_t* row, std::size_t count,
                     std::uint8_t* rgb) {
  if (pixels.colour == TiffColour::kGrey) {
    for (std::size_t i = 0; i < count; ++i, rgb += 3) std::fill_n(rgb, 3, grey_at(pixels, row, i));
  } else if (pixels.colour == TiffColour::kIndex) {
    for (std::size_t i = 0; i < count; ++i, rgb += 3) std::ranges::copy(palette[index_at(pixels, row, i)], rgb);
  } else if (pixels.bits == 16) {
    std::vector<std::uint8_t> samples(count * pixels.samples);
    tiff_plane_to_samples(pixels, row, samples.size(), 1, samples.data());
    tiff_samples_to_rgb(pixels, samples.data(), pixels.samples, count, rgb);
  } else {
    tiff_samples_to_rgb(pixels, row, pixels.samples, count, rgb);
  }
}

}  // namespace tessera
