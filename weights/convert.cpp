#include "weights/convert.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "weights/detect.h"
#include "weights/hdf5.h"
#include "weights/name_maps.h"
#include "weights/safetensors.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostConfigBytes = 8 << 20;

// A JSON file beside the weights; an empty object when there is none.
Json read_optional_json(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return Json::object();
  if (fs::file_size(path, error) > kMostConfigBytes) throw ModelFileError(path.string() + ": is too large");
  std::ifstream file(path, std::ios::binary);
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) throw ModelFileError(path.string() + ": is not a JSON object");
  return json;
}

Filter filter_of(const Json& resample) {
  constexpr int kBilinear = 2, kBicubic = 3, kLanczos = 1, kBox = 4;  // PIL.Image.Resampling
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

int square_size(const Json& size) {
  if (size.is_number_integer()) return size.get<int>();
  if (size.contains("shortest_edge")) return size.at("shortest_edge").get<int>();
  if (size.at("height") != size.at("width")) throw ModelFileError("only square pictures are supported, not " + size.dump());
  return size.at("height").get<int>();
}

// transformers' preprocessor_config.json.
Preprocess hf_preprocess(const Json& json) {
  Preprocess p;
  const bool fast = json.value("image_processor_type", "").ends_with("Fast");
  p.flavour = fast ? PreprocessFlavour::kHfFast : PreprocessFlavour::kHf;
  const Json size = json.value("size", Json(224));
  const bool shortest = size.is_object() && size.contains("shortest_edge");
  p.resize_mode = !json.value("do_resize", true) ? ResizeMode::kNone
                  : shortest                     ? ResizeMode::kShortestEdge
                                                 : ResizeMode::kSquash;
  p.resize = square_size(size);
  p.crop = json.value("do_center_crop", false) ? square_size(json.value("crop_size", Json(224))) : 0;
  p.filter = filter_of(json.value("resample", Json(2)));
  p.mean = json.value("image_mean", std::array<float, 3>{0.5F, 0.5F, 0.5F});
  p.std = json.value("image_std", std::array<float, 3>{0.5F, 0.5F, 0.5F});
  return p;
}

// timm's config.json has its pretrained_cfg.
Preprocess timm_preprocess(const Json& cfg, const Preprocess& fallback) {
  if (!cfg.is_object() || !cfg.contains("input_size")) return fallback;
  return Preprocess::timm(cfg.at("input_size").at(2).get<int>(), cfg.value("crop_pct", 0.875),
                          filter_from_string(cfg.value("interpolation", "bicubic")), cfg.value("mean", fallback.mean),
                          cfg.value("std", fallback.std));
}

// The architecture's preprocessing brought to the model's picture size.
Preprocess default_preprocess(const ModelConfig& config, NamingScheme scheme) {
  Preprocess p = find_architecture(config.architecture).preprocess;
  const int size = config.parameters.at("image_size").get<int>();
  if (scheme == NamingScheme::kHfVit) return Preprocess::hf_squash(size, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F});
  p.resize = static_cast<int>(static_cast<std::int64_t>(p.resize) * size / p.crop);
  p.crop = size;
  return p;
}

LabelSet labels_of(const Json& config, std::int64_t classes) {
  const Json names = config.value("id2label", Json());
  constexpr std::int64_t kImageNetClasses = 1000;
  if (classes == kImageNetClasses) return LabelSet::imagenet_1k();
  if (!names.is_object() || static_cast<std::int64_t>(names.size()) != classes) return {};
  std::vector<std::string> list;
  for (std::int64_t i = 0; i < classes; ++i) list.push_back(names.value(std::to_string(i), ""));
  return LabelSet::custom(std::move(list));
}

std::string digest_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  return sha256(std::as_bytes(std::span(bytes)));
}

LoadedModel convert_files(const fs::path& file, const ConvertOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Json config = read_optional_json(file.parent_path() / "config.json");
  const Json processor = read_optional_json(file.parent_path() / "preprocessor_config.json");
  RenamedWeights renamed = rename_to_timm(read_safetensors(file).tensors);
  LoadedModel model;
  ModelCard& card = model.card;
  card.config = options.architecture ? detect_parameters(renamed, config, *options.architecture)
                                     : detect_architecture(renamed, config);
  card.preprocess = !processor.empty() ? hf_preprocess(processor)
                                       : timm_preprocess(config.value("pretrained_cfg", Json()),
                                                         default_preprocess(card.config, renamed.scheme));
  card.config.parameters["image_size"] = card.preprocess.output_size();
  card.labels = labels_of(config, class_count(card.config));
  const fs::path folder = fs::absolute(file).parent_path().filename();
  card.name = options.name.value_or(file.stem() == "model" ? folder.string() : file.stem().string());
  // weights/convert.py passes the file on that it read.
  const Json origin = config.value("source", Json::object());
  card.source = {origin.value("origin", file.filename().string()), config.value("license", ""),
                 origin.contains("sha256") ? origin.value("sha256", "") : digest_of(file), ""};
  check_weights(renamed.weights, build_graph(card.config).weight_specs(), card.config.architecture);
  model.weights = std::move(renamed.weights);
  model.read_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace

LoadedModel convert_safetensors(const fs::path& source, const ConvertOptions& options) {
  std::error_code error;
  const fs::path file = fs::is_directory(source, error) ? source / "model.safetensors" : source;
  try {
    return convert_files(file, options);
  } catch (const ModelFileError& error_in_file) {
    const std::string text = error_in_file.what();
    throw ModelFileError(text.starts_with(file.string()) ? text : file.string() + ": " + text);
  } catch (const Json::exception& error_in_config) {
    throw ModelFileError(file.string() + ": its config.json or preprocessor_config.json cannot be used (" +
                         error_in_config.what() + ")");
  }
}

}  // namespace tessera
