#pragma once
// Colours by index. Private to vision/.

#include <array>
#include <cstdint>

namespace tessera {

using Colour = std::array<std::uint8_t, 3>;
using Palette = std::array<Colour, 256>;  // entries that a file does not have are black, as Pillow's are

inline Palette grey_palette() {
  Palette grey{};
  for (std::size_t i = 0; i < grey.size(); ++i) grey[i].fill(static_cast<std::uint8_t>(i));
  return grey;
}

}  // namespace tessera
