#pragma once
// From a decoded picture to the input of a model: resize, centre crop, scale and normalise, as the reference libraries
// do.
//
//   timm     Resize(shortest edge, Pillow) -> CenterCrop -> ToTensor (x / 255) -> (x - mean) / std
//   hf       Hugging Face image processor on Pillow: resize -> crop -> x * (1 / 255) -> (x - mean) / std
//   hf-fast  the same on torchvision tensors (antialiased uint8 resize, (x - 255 mean) / (255 std))
// The choice is part of the model: it can change a model's accuracy by 1.5 points.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/tensor.h"
#include "vision/image.h"
#include "vision/resize.h"

namespace tessera {

enum class PreprocessFlavour { kTimm, kHf, kHfFast };
std::string_view to_string(PreprocessFlavour flavour);
// "timm", "hf" or "hf-fast". Throws UsageError.
PreprocessFlavour flavour_from_string(std::string_view name);

inline constexpr int kOldestPillow = 12, kNewestPillow = 13;  // the releases whose resizing is followed
// Throws UsageError unless it is one of them.
void check_pillow(int release);

inline constexpr int kLargestSide = 16384;  // of what a model takes, pixels

// Height and width in pixels; one number is both.
struct Sides {
  int height = 0, width = 0;
  constexpr Sides() = default;
  constexpr Sides(int both) : height(both), width(both) {}  // NOLINT(google-explicit-constructor): .crop = 224
  constexpr Sides(int h, int w) : height(h), width(w) {}
  constexpr bool square() const { return height == width; }
  bool operator==(const Sides&) const = default;
};
// "224", or "224x288": height x width.
std::string to_string(Sides sides);
// Throws UsageError unless it is "224" or "224x288", of numbers from 1 to `most`.
Sides sides_from_string(std::string_view text, int most = kLargestSide);
// 224, or [height, width].
nlohmann::json sides_to_json(Sides sides);
// Of pictures [N, H, W, 3]. Throws InputError for values of another rank.
Sides picture_sides(const Shape& pictures);

enum class ResizeMode {
  kNone,
  // The proportions are kept. To one number: the shorter edge; the other one is truncated to whole pixels. To two: the
  // smallest picture that covers both, rounded, as timm's ResizeKeepRatio.
  kShortestEdge,
  kSquash,  // to `resize`
};

struct Preprocess {
  PreprocessFlavour flavour = PreprocessFlavour::kTimm;
  ResizeMode resize_mode = ResizeMode::kShortestEdge;
  Sides resize = 256;
  Sides crop = 224;  // centre crop, padded with black where the picture is smaller; 0: none
  Filter filter = Filter::kBicubic;
  int pillow = kNewestPillow;  // 12 or 13, which order the passes differently; hf-fast does not use it
  double crop_fraction = 0;    // timm's crop_pct, from which `resize` follows at another size; 0: not known
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};  // of values in [0, 1]
  std::array<float, 3> std{0.229F, 0.224F, 0.225F};

  // timm's evaluation transform: to floor(size / crop_fraction), crop to size.
  static Preprocess timm(Sides size, double crop_fraction, Filter filter, std::array<float, 3> mean,
                         std::array<float, 3> std);
  // As most of transformers' processors: squash to `size`.
  static Preprocess hf_squash(Sides size, Filter filter, std::array<float, 3> mean, std::array<float, 3> std,
                              PreprocessFlavour flavour = PreprocessFlavour::kHf);

  // Of the result. Throws UsageError when it depends on the picture (no crop and no squash).
  Sides output_size() const;
  // The same for pictures of another size: the crop keeps the same share of the picture. timm resizes to floor(size /
  // crop_pct); for a card without crop_pct the shortest decimal that fits is used.
  Preprocess at_size(Sides size) const;
  bool operator==(const Preprocess&) const = default;
};

// "timm: shortest edge 235 bicubic, crop 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"; "bicubic (Pillow 12)"
// where that is followed.
std::string describe(const Preprocess& preprocess);

nlohmann::json to_json(const Preprocess& preprocess);
// Without the field "pillow", as in older files, the newest release is followed. Throws UsageError naming the field
// that is missing, unknown or impossible.
Preprocess preprocess_from_json(const nlohmann::json& json);

// The 8-bit stage: resized and cropped; only what the crop keeps is computed. Throws InputError for a picture so narrow
// that its longer edge would pass 2,000,000 pixels.
Image resize_and_crop(const Image& image, const Preprocess& preprocess);
// Writes a picture of the 8-bit stage to `output`, [1, H, W, 3] of its size.
void normalise(const Image& image, const Preprocess& preprocess, View output);
// Both stages. Throws InternalError when `output` has another size.
void preprocess_image(const Image& image, const Preprocess& preprocess, View output);

}  // namespace tessera
