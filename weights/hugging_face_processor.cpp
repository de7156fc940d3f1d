// transformers' preprocessor_config.json.

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "models/family.h"
#include "models/image_processors.h"
#include "weights/config_files.h"
#include "weights/preprocess_config.h"

namespace tessera {

namespace {

using Json = nlohmann::json;
using Colours = std::array<float, 3>;

constexpr int kBilinear = 2, kBicubic = 3;  // PIL.Image.Resampling

std::string without_end(const std::string& text, std::string_view end) {
  return text.ends_with(end) ? text.substr(0, text.size() - end.size()) : text;
}

// The processor's name from the file, or the one that transformers uses for such a model.
std::string type_of(const Json& json, const std::string& model_type) {
  std::string type = config_value<std::string>(json, "image_processor_type", "");
  const std::string older = config_value<std::string>(json, "feature_extractor_type", "");
  if (type.empty() && !older.empty()) type = without_end(older, "FeatureExtractor") + "ImageProcessor";
  if (!type.empty()) return type;
  for (const Family* family : families()) {
    for (const HuggingFaceType& row : family->hugging_face.types) {
      if (row.model_type == model_type) return std::string(row.image_processor);
    }
  }
  throw ModelFileError("preprocessor_config.json names no image_processor_type");
}

const ImageProcessor& defaults_of(const std::string& type) {
  const std::string base = without_end(without_end(type, "Fast"), "Pil");
  for (const ImageProcessor& row : image_processors()) {
    if (base == row.name) return row;
  }
  std::string known;
  for (const ImageProcessor& row : image_processors()) known += (known.empty() ? "" : ", ") + std::string(row.name);
  throw ModelFileError("preprocessor_config.json's image_processor_type '" + type + "' is not one that tessera has (" +
                       known +
                       "); --preprocess FILE.json or --mean, --std, --interpolation and --crop-pct say it otherwise");
}

Filter filter_of(const Json& resample) {
  constexpr int kLanczos = 1, kBox = 4;
  if (resample == kBilinear) return Filter::kBilinear;
  if (resample == kBicubic) return Filter::kBicubic;
  if (resample == kLanczos) return Filter::kLanczos;
  if (resample == kBox) return Filter::kBox;
  throw ModelFileError("resample " + resample.dump() + " is not supported");
}

// Reads a JSON number of any magnitude: one that cannot be the side of a picture must not reach integer arithmetic.
int side_of(const Json& number) {
  if (!number.is_number()) throw ModelFileError("a side of " + number.dump() + " pixels is not a number");
  const double side = number.get<double>();
  if (!(side >= 1 && side <= kLargestSide)) {
    throw ModelFileError(fmt::format("a side of {} pixels is not in 1 to {}", number.dump(), kLargestSide));
  }
  return static_cast<int>(side);
}

struct Size {
  Sides sides;
  bool shortest_edge = false;
};

// transformers' get_size_dict(), for sizes that make pictures of one size.
Size size_of(const Json& size, bool square) {
  if (size.is_number()) return {side_of(size), !square};
  if (size.is_object() && size.size() == 1 && size.contains("shortest_edge")) {
    return {side_of(size.at("shortest_edge")), true};
  }
  const bool pair = size.is_array() && size.size() == 2;
  const bool sides = size.is_object() && size.size() == 2 && size.contains("height") && size.contains("width");
  if (!pair && !sides)
    throw ModelFileError("size " + size.dump() + " is not supported: expected height and width, or shortest_edge");
  const Json& height = pair ? size[0] : size.at("height");
  const Json& width = pair ? size[1] : size.at("width");
  return {{side_of(height), side_of(width)}, false};
}

double crop_share(const Json& json) {
  const double share = config_value(json, "crop_pct", 224.0 / 256.0);
  constexpr double kSmallest = 0.01;
  if (!(share >= kSmallest && share <= 1)) {
    throw ModelFileError(fmt::format("crop_pct {} is not in {} to 1", share, kSmallest));
  }
  return share;
}

// Below 384 pixels the shortest edge goes to size / crop_pct and the centre is cut out, otherwise the picture is
// squashed.
void set_sizes_of_crop(const Json& json, Preprocess& p, const ImageProcessor& defaults) {
  constexpr int kSquashFrom = 384;
  const int size = size_of(json.value("size", Json(defaults.size)), false).sides.height;
  const bool squash = size >= kSquashFrom;
  const double share = crop_share(json);
  p.resize_mode = squash ? ResizeMode::kSquash : ResizeMode::kShortestEdge;
  p.resize = squash ? size : static_cast<int>(size / share);
  p.crop = squash ? 0 : size;
  if (config_value(json, "do_center_crop", false))
    throw ModelFileError("do_center_crop of a " + std::string(defaults.name) + " is not supported");
}

void set_sizes(const Json& json, Preprocess& p, const ImageProcessor& defaults) {
  const Size size =
      size_of(json.value("size", Json(defaults.size)), config_value(json, "default_to_square", defaults.square));
  p.resize_mode = size.shortest_edge ? ResizeMode::kShortestEdge : ResizeMode::kSquash;
  p.resize = size.sides;
  const bool crop = config_value(json, "do_center_crop", defaults.center_crop);
  p.crop = crop ? size_of(json.value("crop_size", Json(224)), true).sides : 0;
}

void refuse_unknown_keys(const Json& json, const IgnoredKeys& ignored) {
  static const std::set<std::string> kKnown{"image_processor_type",
                                            "feature_extractor_type",
                                            "processor_class",
                                            "size",
                                            "resample",
                                            "do_resize",
                                            "do_center_crop",
                                            "crop_size",
                                            "do_rescale",
                                            "rescale_factor",
                                            "do_normalize",
                                            "image_mean",
                                            "image_std",
                                            "crop_pct",
                                            "default_to_square",
                                            "do_convert_rgb",
                                            "input_data_format",
                                            "data_format",
                                            "device",
                                            "disable_grouping",
                                            "return_tensors",
                                            "_valid_processor_keys",
                                            "use_fast",
                                            "do_pad"};
  for (const auto& [key, value] : json.items()) {
    if (kKnown.contains(key) || ignored.contains(key)) continue;
    throw ModelFileError("preprocessor_config.json's '" + key + "' is " + value.dump() +
                         ": tessera does not know what it changes; --ignore-config " + key + " converts without it");
  }
  if (config_value(json, "do_pad", false) && !ignored.contains("do_pad")) {
    throw ModelFileError("preprocessor_config.json's 'do_pad' is not supported");
  }
}

Colours colours_of(const Json& json, const char* key, const Colours& fallback) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_number()) {
    const float all = found->get<float>();
    return {all, all, all};
  }
  if (found != json.end() && found->is_array() && found->size() != 3) {
    throw ModelFileError(std::string(key) + " is " + found->dump() + "; pictures have three channels");
  }
  return config_value(json, key, fallback);
}

}  // namespace

ChosenPreprocess hugging_face_preprocess(const Json& json, const std::string& model_type, const IgnoredKeys& ignored) {
  const std::string type = type_of(json, model_type);
  const ImageProcessor& defaults = defaults_of(type);
  refuse_unknown_keys(json, ignored);
  Preprocess p;
  defaults.size_is_crop ? set_sizes_of_crop(json, p, defaults) : set_sizes(json, p, defaults);
  if (!config_value(json, "do_resize", true)) p.resize_mode = ResizeMode::kNone;
  p.filter = filter_of(json.value("resample", Json(defaults.resample)));
  // A name that says neither means torchvision's arithmetic to transformers 5; version 4 had Pillow's.
  const bool plain = type == defaults.name;
  const bool torchvision_has_it = p.filter == Filter::kBilinear || p.filter == Filter::kBicubic;
  p.flavour = type.ends_with("Pil") || !torchvision_has_it ? PreprocessFlavour::kHf : PreprocessFlavour::kHfFast;
  if (!config_value(json, "do_rescale", true) ||
      std::abs(config_value(json, "rescale_factor", 1.0 / 255) - 1.0 / 255) > 1e-9) {
    throw ModelFileError("only pixels rescaled by 1 / 255 are supported");
  }
  const bool normalise = config_value(json, "do_normalize", true);
  p.mean = normalise ? colours_of(json, "image_mean", defaults.mean) : Colours{0, 0, 0};
  p.std = normalise ? colours_of(json, "image_std", defaults.std) : Colours{1, 1, 1};
  bool all = !plain;
  for (const char* key : {"size", "resample", "image_mean", "image_std"}) all &= json.contains(key);
  return {p, all ? "" : kTransformersVersion};
}

}  // namespace tessera
