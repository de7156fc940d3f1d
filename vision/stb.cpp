#include "vision/stb.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include "core/error.h"
#include "vision/jpeg_check.h"

namespace {

// A limit of its own for each decode keeps a small file from taking gigabytes.
thread_local std::size_t allocation_limit = 0;

// Filled with zeros, since stb_image also reads coefficients that no scan of the file has written.
void* bounded_malloc(std::size_t bytes) { return bytes > allocation_limit ? nullptr : std::calloc(1, bytes); }

}  // namespace

#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STB_IMAGE_STATIC
#define STBI_MALLOC(bytes) bounded_malloc(bytes)
#define STBI_REALLOC(memory, bytes) nullptr  // only PNG needs it
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace tessera {

namespace {

const stbi_uc* data_of(std::span<const std::byte> bytes) { return reinterpret_cast<const stbi_uc*>(bytes.data()); }

int length_of(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw InputError(name + ": the file is larger than 2 GiB");
  }
  return static_cast<int>(bytes.size());
}

[[noreturn]] void fail(const std::string& name) {
  const char* reason = stbi_failure_reason();
  throw InputError(name + ": cannot be decoded (" + (reason == nullptr ? "unknown reason" : reason) + ")");
}

// The copy is as large as the header says.
void check_size(const Image& image, const StbHeader& header, const std::string& name) {
  if (image.width != header.width || image.height != header.height) {
    throw InputError(name + ": damaged picture (two sizes)");
  }
}

}  // namespace

StbHeader stb_header(std::span<const std::byte> bytes, const std::string& name) {
  check_jpeg_segments(bytes, name);
  allocation_limit = std::size_t{16} << 20;
  StbHeader header;
  int channels = 0;
  if (stbi_info_from_memory(data_of(bytes), length_of(bytes, name), &header.width, &header.height, &channels) == 0) {
    fail(name);
  }
  return header;
}

Image stb_decode(std::span<const std::byte> bytes, const std::string& name, const StbHeader& header) {
  const auto pixels = static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height);
  allocation_limit = std::max<std::size_t>(std::size_t{16} << 20, pixels * 20) + bytes.size();
  const auto free_decoded = [](auto* memory) { stbi_image_free(memory); };
  const int length = length_of(bytes, name);
  Image image;
  int channels = 0;
  const std::unique_ptr<stbi_uc[], decltype(free_decoded)> decoded(
      stbi_load_from_memory(data_of(bytes), length, &image.width, &image.height, &channels, STBI_rgb));
  if (decoded == nullptr) fail(name);
  check_size(image, header, name);
  image.pixels.assign(decoded.get(), decoded.get() + pixels * 3);
  return image;
}

}  // namespace tessera
