#include "vision/jpeg.h"

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <new>

// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "vision/picture_bytes.h"
#include "vision/pixel_limit.h"

namespace tessera {

namespace {

// libjpeg reports errors through a callback that must not return; it jumps back into read_header() or read_rows().
struct ErrorState {
  jpeg_error_mgr manager;  // first: libjpeg hands out a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool damaged;  // a warning: the data is corrupt, the rest of the picture is made up
};

ErrorState* state_of(j_common_ptr info) { return reinterpret_cast<ErrorState*>(info->err); }

void on_error(j_common_ptr info) {
  ErrorState* state = state_of(info);
  info->err->format_message(info, state->message);
  std::longjmp(state->jump, 1);
}

// Warnings that leave the picture as it was meant, as in files that Pillow and others take without a word: bytes
// between one segment and the next marker, and unusual values in the headers.
bool is_harmless(const jpeg_error_mgr& manager) {
  switch (manager.msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_BOGUS_ICC:
      return true;
    default:
      return false;
  }
}

void on_message(j_common_ptr info, int level) {
  ErrorState* state = state_of(info);
  if (level >= 0 || state->damaged || is_harmless(*info->err)) return;  // the first warning is the one to tell
  state->damaged = true;
  info->err->format_message(info, state->message);
}

// A progressive file of a few kilobytes can hold thousands of scans, each of which goes over the whole picture.
void on_progress(j_common_ptr info) {
  constexpr int kMostScans = 500;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  ErrorState* state = state_of(info);
  std::snprintf(state->message, sizeof(state->message), "more than %d scans", kMostScans);
  std::longjmp(state->jump, 1);
}

struct Decompressor {
  jpeg_decompress_struct info{};
  ErrorState error{};
  jpeg_progress_mgr progress{};
  Decompressor() {
    info.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = on_error;
    error.manager.emit_message = on_message;
    progress.progress_monitor = on_progress;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

// The functions below hold no object with a destructor: longjmp leaves them without running any.

bool read_header(Decompressor& jpeg, std::span<const std::byte> bytes) {
  if (setjmp(jpeg.error.jump) != 0) return false;
  jpeg_create_decompress(&jpeg.info);
  jpeg.info.progress = &jpeg.progress;
  jpeg_mem_src(&jpeg.info, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&jpeg.info, TRUE);
  return true;
}

// Writes rows of `channels` bytes a pixel.
bool read_rows(Decompressor& jpeg, J_COLOR_SPACE space, std::uint8_t* pixels, std::size_t stride) {
  if (setjmp(jpeg.error.jump) != 0) return false;
  jpeg.info.out_color_space = space;
  jpeg.info.dct_method = JDCT_ISLOW;
  jpeg.info.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&jpeg.info);
  while (jpeg.info.output_scanline < jpeg.info.output_height) {
    JSAMPROW row = pixels + stride * jpeg.info.output_scanline;
    jpeg_read_scanlines(&jpeg.info, &row, 1);
  }
  jpeg_finish_decompress(&jpeg.info);
  return true;
}

// What an intact file may be that libjpeg does not have; empty where the last error is another. libjpeg-turbo decodes
// lossless files from version 3 on.
std::string unsupported_kind(const jpeg_error_mgr& manager) {
  constexpr int kLossless = 0xC3, kFirstFrame = 0xC0;
  const int parameter = manager.msg_parm.i[0];
  if (manager.msg_code == JERR_BAD_PRECISION) return "of " + std::to_string(parameter) + " bits a sample";
  if (manager.msg_code == JERR_CONVERSION_NOTIMPL) return "of colours that libjpeg does not turn into RGB";
  if (manager.msg_code != JERR_SOF_UNSUPPORTED) return "";
  return parameter == kLossless ? "of the lossless process (SOF3)"
                                : "of the process SOF" + std::to_string(parameter - kFirstFrame);
}

// Pillow's: the file's values are inverted (Adobe), and R = (255 - K) - C * (255 - K) / 255, rounded.
void cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, std::vector<std::uint8_t>& rgb) {
  std::uint8_t* to = rgb.data();
  for (std::size_t i = 0; i < cmyk.size(); i += 4) {
    const int white = cmyk[i + 3];  // 255 - K
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const int product = (255 - cmyk[i + channel]) * white + 128;
      *to++ = static_cast<std::uint8_t>(white - (((product >> 8) + product) >> 8));
    }
  }
}

}  // namespace

Image jpeg_decode(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options) {
  Decompressor jpeg;
  const auto fail = [&] {
    if (jpeg.error.manager.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    const PictureBytes file(bytes, name, "JPEG");
    const std::string unsupported = unsupported_kind(jpeg.error.manager);
    if (!unsupported.empty()) file.unsupported(unsupported);
    file.damaged(jpeg.error.message);
  };
  if (!read_header(jpeg, bytes)) fail();
  const auto width = static_cast<std::int64_t>(jpeg.info.image_width);
  const auto height = static_cast<std::int64_t>(jpeg.info.image_height);
  check_pixels(width, height, name, options);
  Image image = blank_image(width, height, name);
  if (jpeg.info.num_components == 4) {
    std::vector<std::uint8_t> cmyk(image.pixels.size() / 3 * 4);
    if (!read_rows(jpeg, JCS_CMYK, cmyk.data(), static_cast<std::size_t>(width) * 4)) fail();
    cmyk_to_rgb(cmyk, image.pixels);
  } else if (!read_rows(jpeg, JCS_RGB, image.pixels.data(), image.stride())) {
    fail();
  }
  if (jpeg.error.damaged && !options.lenient) fail();
  return image;
}

}  // namespace tessera
