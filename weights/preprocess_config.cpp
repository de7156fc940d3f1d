#include "weights/preprocess_config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "weights/config_files.h"

namespace tessera {

namespace {

using Json = nlohmann::json;
using Colours = std::array<float, 3>;

constexpr double kSmallestShare = 0.01;

int whole_side(const Json& number, const char* key) {
  if (!number.is_number()) throw ModelFileError(fmt::format("'{}' is {}, not a number of pixels", key, number.dump()));
  const double side = number.get<double>();
  if (!(side >= 1 && side <= kLargestSide)) {
    throw ModelFileError(fmt::format("a side of {} pixels is not in 1 to {}", number.dump(), kLargestSide));
  }
  return static_cast<int>(side);
}

double checked_share(double share) {
  if (!(share >= kSmallestShare && share <= 1)) {
    throw ModelFileError(fmt::format("crop_pct {} is not in {} to 1", share, kSmallestShare));
  }
  return share;
}

// timm's Resize and CenterCrop, or its squash.
Preprocess timm_pictures(Sides size, double share, Filter filter, Colours mean, Colours std, const std::string& mode) {
  if (mode != "center" && mode != "squash") throw ModelFileError("crop_mode '" + mode + "' is not supported");
  Preprocess p = Preprocess::timm(size, checked_share(share), filter, mean, std);
  if (mode == "squash") p.resize_mode = ResizeMode::kSquash;
  return p;
}

// timm's pretrained_cfg with timm's defaults for what it leaves out. Empty where there is none.
std::optional<ChosenPreprocess> timm_preprocess(const Json& config) {
  const bool nested = config.contains("pretrained_cfg");
  if (!nested && !(is_timm_config(config) && config.contains("input_size"))) return std::nullopt;
  const Json& cfg = nested ? config.at("pretrained_cfg") : config;
  if (!cfg.is_object()) throw ModelFileError("config.json's 'pretrained_cfg' is not an object");
  if (nested && !cfg.contains("input_size") && !cfg.contains("mean")) return std::nullopt;
  Json size = config_value(cfg, "input_size", Json::array({3, 224, 224}));
  const Json arguments = config_value(config, "model_args", Json::object());
  if (arguments.is_object() && arguments.contains("img_size") && config_value(cfg, "fixed_input_size", false)) {
    const Json& side = arguments.at("img_size");
    size = side.is_array() && side.size() == 2 ? Json::array({3, side[0], side[1]}) : Json::array({3, side, side});
  }
  if (!size.is_array() || size.size() != 3) throw ModelFileError("input_size is " + size.dump());
  bool all = true;
  for (const char* key : {"input_size", "crop_pct", "interpolation", "mean", "std", "crop_mode"})
    all &= cfg.contains(key);
  const Preprocess imagenet;
  return ChosenPreprocess{
      timm_pictures({whole_side(size[1], "input_size"), whole_side(size[2], "input_size")},
                    config_value(cfg, "crop_pct", 0.875),
                    filter_from_string(config_value<std::string>(cfg, "interpolation", "bicubic")),
                    config_value(cfg, "mean", imagenet.mean), config_value(cfg, "std", imagenet.std),
                    config_value<std::string>(cfg, "crop_mode", "center")),
      all ? "" : kTimmVersion};
}

// Sets the resized edge from the crop's share of it; the crop is the model's.
void set_share(Preprocess& p, double share) {
  const Sides size = p.output_size();
  const auto shared = [&](int side) { return static_cast<int>(std::floor(side / checked_share(share))); };
  p.crop_fraction = p.resize_mode == ResizeMode::kSquash ? 0 : share;
  p.resize = p.resize_mode == ResizeMode::kSquash ? size : Sides{shared(size.height), shared(size.width)};
}

void override_fields(Preprocess& p, const PreprocessOptions& options) {
  if (options.mean) p.mean = *options.mean;
  if (options.std) p.std = *options.std;
  if (options.interpolation) p.filter = filter_from_string(*options.interpolation);
  if (options.size) p = p.at_size(*options.size);
  if (options.crop_mode == "squash") {
    p.crop = p.output_size();
    p.resize = p.crop;
    p.crop_fraction = 0;
    p.resize_mode = ResizeMode::kSquash;
  }
  if (options.crop_mode == "center") {
    p.crop = p.output_size();
    p.resize_mode = ResizeMode::kShortestEdge;
  }
  if (options.crop_pct) set_share(p, *options.crop_pct);
}

// For preprocessing that options say completely.
std::optional<Preprocess> said_by_options(const PreprocessOptions& options, Sides size) {
  if (!options.mean || !options.std || !options.interpolation || !(options.crop_pct || options.crop_mode == "squash")) {
    return std::nullopt;
  }
  return timm_pictures(options.size.value_or(size), options.crop_pct.value_or(1),
                       filter_from_string(*options.interpolation), *options.mean, *options.std,
                       options.crop_mode.value_or("center"));
}

std::optional<ChosenPreprocess> by_name(const std::string& name, const SaidNetwork& said, const Note& note) {
  if (name == "torchvision" || name == "torchvision-v2") {
    const int resize = name == "torchvision" ? 256 : 232;
    return ChosenPreprocess{{.resize = resize, .crop = 224, .filter = Filter::kBilinear}, "torchvision 0.29"};
  }
  const Architecture* known = find_row(said.architecture);
  if (name != "timm" || known == nullptr) return std::nullopt;
  note("preprocessing of timm's default configuration for " + known->name);
  return ChosenPreprocess{known->preprocess, kTimmVersion};
}

std::optional<ChosenPreprocess> by_files(const PreprocessSources& sources, const Note& note) {
  const std::optional<ChosenPreprocess> timm = timm_preprocess(sources.config);
  const Json& processor = sources.processor;
  if (config_value<std::string>(processor, "image_processor_type", "") == "TimmWrapperImageProcessor") {
    return timm ? timm : timm_preprocess(processor);
  }
  if (!processor.empty() && !(timm && is_timm_config(sources.config))) {
    return hugging_face_preprocess(processor, config_value<std::string>(sources.config, "model_type", ""),
                                   sources.ignored);
  }
  if (timm && !processor.empty())
    note("preprocessing of config.json's pretrained_cfg, not of preprocessor_config.json");
  if (timm) return timm;
  if (!sources.file) return std::nullopt;
  note("preprocessing of " + sources.file->origin + ", by the file's name");
  return ChosenPreprocess{sources.file->preprocess, "torchvision 0.29"};
}

// A JSON file of the user's: a processor's, timm's or a card's.
ChosenPreprocess by_json(const std::string& path, const PreprocessSources& sources) {
  const Json json = read_config(path);
  if (json.empty())
    throw UsageError("--preprocess " + path + ": no such file, nor timm, hf, hf-fast, torchvision or torchvision-v2");
  if (json.contains("flavour")) return {preprocess_from_json(json), ""};
  if (const auto timm = timm_preprocess(json.contains("pretrained_cfg") ? json : Json{{"pretrained_cfg", json}});
      timm && !json.contains("image_mean") && !json.contains("image_processor_type")) {
    return *timm;
  }
  return hugging_face_preprocess(json, "", sources.ignored);
}

[[noreturn]] void refuse_unsaid(const SaidNetwork& said) {
  throw ModelFileError(
      "nothing says how its pictures are prepared: put its preprocessor_config.json (or timm's config.json) beside the "
      "weights, or give --preprocess FILE.json, --preprocess torchvision (torchvision's first ImageNet weights; "
      "torchvision-v2: the later ones), --preprocess timm" +
      std::string(said.architecture.empty() ? " with --arch (timm's default for that architecture)" : "") +
      ", or all of --mean, --std, --interpolation and --crop-pct");
}

bool is_flavour(const std::string& name) { return name == "timm" || name == "hf" || name == "hf-fast"; }

}  // namespace

ChosenPreprocess preprocess_of(const ModelConfig& config, const SaidNetwork& said, const PreprocessSources& sources,
                               const PreprocessOptions& options, const Note& note) {
  const std::string& choice = options.choice;
  std::optional<ChosenPreprocess> chosen;
  const bool file = !choice.empty() && !is_flavour(choice) && !choice.starts_with("torchvision");
  if (file) chosen = by_json(choice, sources);
  if (!chosen && (choice.empty() || is_flavour(choice))) chosen = by_files(sources, note);
  if (!chosen) chosen = by_name(choice, said, note);
  if (!chosen) {
    if (const auto said_whole = said_by_options(options, picture_sides(config))) chosen = {*said_whole, ""};
  }
  if (!chosen) refuse_unsaid(said);
  if (is_flavour(choice)) chosen->preprocess.flavour = flavour_from_string(choice);
  override_fields(chosen->preprocess, options);
  chosen->preprocess = preprocess_from_json(to_json(chosen->preprocess));  // which checks that every number is possible
  return *chosen;
}

}  // namespace tessera
