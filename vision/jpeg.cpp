#include "vision/jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstdint>

#include <jpeglib.h>

#include "core/error.h"

namespace tessera {

namespace {

// libjpeg reports errors through a callback that must not return; it jumps back into decode_rows().
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

void on_message(j_common_ptr info, int level) {
  ErrorState* state = state_of(info);
  if (level >= 0 || state->damaged) return;  // traces; the first warning is the one to tell
  state->damaged = true;
  info->err->format_message(info, state->message);
}

struct Decompressor {
  jpeg_decompress_struct info{};
  ErrorState error{};
  Decompressor() {
    info.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = on_error;
    error.manager.emit_message = on_message;
    jpeg_create_decompress(&info);
  }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

// The functions below hold no object with a destructor: longjmp leaves them without running any.

bool read_header(Decompressor& jpeg, std::span<const std::byte> bytes) {
  if (setjmp(jpeg.error.jump) != 0) return false;
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
  const auto fail = [&] { throw InputError(name + ": damaged JPEG (" + jpeg.error.message + ")"); };
  if (!read_header(jpeg, bytes)) fail();
  const auto width = static_cast<std::int64_t>(jpeg.info.image_width);
  const auto height = static_cast<std::int64_t>(jpeg.info.image_height);
  if (width * height > options.max_pixels) {
    throw InputError(name + ": " + std::to_string(width) + "x" + std::to_string(height) +
                     " pixels are more than the limit of " + std::to_string(options.max_pixels));
  }
  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  image.pixels.resize(image.stride() * static_cast<std::size_t>(height));
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
