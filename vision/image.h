#pragma once

#include <cstdint>
#include <vector>

namespace tessera {

// An RGB picture: rows from the top, 3 bytes a pixel, no padding between rows.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  // height * width * 3

  const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * stride(); }
  std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * stride(); }
  std::size_t stride() const { return static_cast<std::size_t>(width) * 3; }
  bool operator==(const Image&) const = default;
};

}  // namespace tessera
