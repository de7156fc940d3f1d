#pragma once
// A data set of labelled pictures that needs no download: sixteen classes, each a shape that is filled with a texture
// of its own. Position, size, rotation, colours, light, clutter, occlusion and noise are drawn anew for each picture.
// In the cue-conflict variant the texture is another class's (Geirhos et al. 2019, arXiv:1811.12231).
//
// A picture is a function of its seed and number alone: the same pixels on every machine and for any number of threads.

#include <cstdint>
#include <string_view>

#include "vision/image.h"

namespace tessera {

inline constexpr int kShapeClasses = 16;
inline constexpr int kShapeSide = 64;  // pixels

// The name of a class, which is that of its shape: "disc", "ring", ...
std::string_view shape_name(int shape);
// The texture that fills a class's shape: "stripes", "checks", ...
std::string_view texture_name(int texture);

struct ShapePicture {
  int shape = 0;    // the class
  int texture = 0;  // the class whose texture it has: the same class unless in a cue conflict
};
// The content of picture `number` of the set; all classes are equally frequent.
ShapePicture shape_picture(std::uint64_t seed, std::int64_t number, bool cue_conflict);

// 64 x 64 pixels.
Image draw_shape_picture(std::uint64_t seed, std::int64_t number, ShapePicture what);

}  // namespace tessera
