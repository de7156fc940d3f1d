#pragma once
// What transformers' image processors take for what a preprocessor_config.json leaves out.

#include <array>
#include <span>
#include <string_view>

namespace tessera {

struct ImageProcessor {
  std::string_view name;  // "ViTImageProcessor"
  int resample;           // as PIL.Image.Resampling
  std::array<float, 3> mean, std;
  int size;
  bool square;  // a size that is one number: both sides; otherwise the shorter one
  bool center_crop;
  // The size is the crop's: the shorter edge goes to size / crop_pct and the centre is cut out, and from 384 pixels on
  // the picture is squashed.
  bool size_is_crop = false;
};

std::span<const ImageProcessor> image_processors();

}  // namespace tessera
