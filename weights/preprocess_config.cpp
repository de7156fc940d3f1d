#include "weights/preprocess_config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

Filter filter_of(const Json& resample) {
  constexpr int kLanczos = 1, kBilinear = 2, kBicubic = 3, kBox = 4;  // PIL.Image.Resampling
  switch (resample.get<int>()) {
    case kBilinear:
      return Filter::kBilinear;
    case kBicubic:
      return Filter::kBicubic;
    case kLanczos:
      return Filter::kLanczos;
    case kBox:
      return Filter::kBox;
    default:
      throw ModelFileError("resample " + resample.dump() + " is not supported");
  }
}

// A JSON number of any magnitude: one that is no side of a picture must not reach integer arithmetic.
int side_of(const Json& number) {
  const double side = number.get<double>();
  if (!(side >= 1 && side <= kLargestSide)) {
    throw ModelFileError(fmt::format("a side of {} pixels is not in 1 to {}", number.dump(), kLargestSide));
  }
  return static_cast<int>(side);
}

int square_size(const Json& size) {
  if (size.is_number()) return side_of(size);
  if (size.contains("shortest_edge")) return side_of(size.at("shortest_edge"));
  if (size.at("height") != size.at("width")) {
    throw ModelFileError("only square pictures are supported, not " + size.dump());
  }
  return side_of(size.at("height"));
}

// The share of the resized edge that the crop keeps.
double crop_share(const Json& json, double fallback) {
  const double share = json.value("crop_pct", fallback);
  constexpr double kSmallest = 0.01;
  if (!(share >= kSmallest && share <= 1)) {
    throw ModelFileError(fmt::format("crop_pct {} is not in {} to 1", share, kSmallest));
  }
  return share;
}

// ConvNextImageProcessor, which Hugging Face's ResNets use: below 384 pixels the shortest edge goes to size / crop_pct
// and the centre is cut out, otherwise the picture is squashed.
void set_convnext_sizes(const Json& json, Preprocess& p) {
  constexpr int kSquashFrom = 384;
  const int size = square_size(json.value("size", Json(kSquashFrom)));
  const bool squash = size >= kSquashFrom;
  const double share = crop_share(json, 224.0 / 256.0);
  p.resize_mode = squash ? ResizeMode::kSquash : ResizeMode::kShortestEdge;
  p.resize = squash ? size : static_cast<int>(size / share);
  p.crop = squash ? 0 : size;
}

void set_sizes(const Json& json, Preprocess& p) {
  const Json size = json.value("size", Json(224));
  p.resize_mode = size.is_object() && size.contains("shortest_edge") ? ResizeMode::kShortestEdge : ResizeMode::kSquash;
  p.resize = square_size(size);
  p.crop = json.value("do_center_crop", false) ? square_size(json.value("crop_size", Json(224))) : 0;
}

Preprocess hugging_face(const Json& json) {
  const std::string type = json.value("image_processor_type", json.value("feature_extractor_type", ""));
  const bool convnext = type.starts_with("ConvNext");
  constexpr int kBilinear = 2, kBicubic = 3;
  Preprocess p;
  p.flavour = type.ends_with("Fast") ? PreprocessFlavour::kHfFast : PreprocessFlavour::kHf;
  convnext ? set_convnext_sizes(json, p) : set_sizes(json, p);
  if (!json.value("do_resize", true)) p.resize_mode = ResizeMode::kNone;
  p.filter = filter_of(json.value("resample", Json(convnext || type.starts_with("Bit") ? kBicubic : kBilinear)));
  if (!json.value("do_rescale", true) || std::abs(json.value("rescale_factor", 1.0 / 255) - 1.0 / 255) > 1e-9) {
    throw ModelFileError("only pixels rescaled by 1 / 255 are supported");
  }
  const bool normalise = json.value("do_normalize", true);
  p.mean = normalise ? json.value("image_mean", std::array{0.5F, 0.5F, 0.5F}) : std::array{0.0F, 0.0F, 0.0F};
  p.std = normalise ? json.value("image_std", std::array{0.5F, 0.5F, 0.5F}) : std::array{1.0F, 1.0F, 1.0F};
  return p;
}

Preprocess timm(const Json& cfg, const Preprocess& fallback) {
  if (!cfg.is_object() || !cfg.contains("input_size")) return fallback;
  const Json& size = cfg.at("input_size");
  if (size.at(1) != size.at(2)) throw ModelFileError("only square pictures are supported, not " + size.dump());
  Preprocess p = Preprocess::timm(side_of(size.at(2)), crop_share(cfg, 0.875),
                                  filter_from_string(cfg.value("interpolation", "bicubic")),
                                  cfg.value("mean", fallback.mean), cfg.value("std", fallback.std));
  const std::string mode = cfg.value("crop_mode", "center");
  if (mode == "squash") p.resize_mode = ResizeMode::kSquash;
  if (mode != "squash" && mode != "center") throw ModelFileError("crop_mode '" + mode + "' is not supported");
  return p;
}

Preprocess default_preprocess(const ModelConfig& config, NamingScheme scheme) {
  Preprocess p = find_architecture(config.architecture).preprocess;
  const int size = config.parameters.at("image_size").get<int>();
  constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};
  if (scheme == NamingScheme::kHfVit) return Preprocess::hf_squash(size, Filter::kBilinear, kHalf, kHalf);
  return p.at_size(size);
}

}  // namespace

Preprocess preprocess_of(const ModelConfig& config, NamingScheme scheme, const Json& model_json,
                         const Json& processor_json) {
  const Preprocess p = processor_json.empty()
                           ? timm(model_json.value("pretrained_cfg", Json()), default_preprocess(config, scheme))
                           : hugging_face(processor_json);
  return preprocess_from_json(to_json(p));  // which checks that every number is possible
}

}  // namespace tessera
