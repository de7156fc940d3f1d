#include "vision/pixel_limit.h"

#include <limits>
#include <new>

#include "core/error.h"

namespace tessera {

void check_pixels(std::int64_t width, std::int64_t height, const std::string& name, const DecodeOptions& options) {
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max();
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width < 1 || height < 1 || width > kLongest || height > kLongest) {
    throw InputError(name + ": damaged picture (a size of " + size + ")");
  }
  if (height > options.max_pixels / width) {
    throw InputError(name + ": " + size + " pixels are more than the limit of " + std::to_string(options.max_pixels));
  }
}

Image blank_image(std::int64_t width, std::int64_t height, const std::string& name) {
  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  const std::size_t size = image.stride() * static_cast<std::size_t>(height);
  try {
    image.pixels.resize(size);
  } catch (const std::bad_alloc&) {
    if (size < kLargeAllocation) throw;
    throw InputError(name + ": not enough memory for its " + std::to_string(width) + "x" + std::to_string(height) +
                     " pixels");
  }
  return image;
}

}  // namespace tessera
