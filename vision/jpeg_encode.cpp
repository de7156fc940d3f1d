#include "vision/jpeg_encode.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "core/error.h"

namespace tessera {

namespace {

struct ErrorState {
  jpeg_error_mgr manager;  // first: libjpeg hands out a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void on_error(j_common_ptr info) {
  auto* const state = reinterpret_cast<ErrorState*>(info->err);
  info->err->format_message(info, state->message);
  std::longjmp(state->jump, 1);
}

// Everything between setjmp and longjmp is in here and has no destructor. False with a message in `errors`.
bool compress(const Image& image, int quality, ErrorState& errors, unsigned char** buffer, unsigned long* size) {
  jpeg_compress_struct info;
  info.err = ::jpeg_std_error(&errors.manager);
  errors.manager.error_exit = on_error;
  if (setjmp(errors.jump) != 0) {
    ::jpeg_destroy_compress(&info);
    return false;
  }
  jpeg_create_compress(&info);
  ::jpeg_mem_dest(&info, buffer, size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  ::jpeg_set_defaults(&info);
  ::jpeg_set_quality(&info, quality, TRUE);
  ::jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(image.row(static_cast<int>(info.next_scanline)));
    ::jpeg_write_scanlines(&info, &row, 1);
  }
  ::jpeg_finish_compress(&info);
  ::jpeg_destroy_compress(&info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  ErrorState errors;
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const bool good = compress(image, quality, errors, &buffer, &size);
  std::vector<std::byte> bytes;
  if (good) bytes.assign(reinterpret_cast<std::byte*>(buffer), reinterpret_cast<std::byte*>(buffer) + size);
  std::free(buffer);
  if (!good) throw ResourceError(std::string("a picture cannot be encoded as JPEG: ") + errors.message);
  return bytes;
}

}  // namespace tessera
