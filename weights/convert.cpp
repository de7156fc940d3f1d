#include "weights/convert.h"

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "weights/detect.h"
#include "weights/name_maps.h"
#include "weights/preprocess_config.h"
#include "weights/safetensors.h"
#include "weights/sha256.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostConfigBytes = 8 << 20;

// A JSON file beside the weights; an empty object when there is none.
Json read_optional_json(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return Json::object();
  Json json;
  try {
    json = parse_json(read_file(path, kMostConfigBytes));
  } catch (const InputError& unreadable) {
    throw ModelFileError(unreadable.what());
  }
  if (!json.is_object()) throw ModelFileError(path.string() + ": is not a JSON object");
  return json;
}

// A thousand classes are ImageNet's unless the config names others.
LabelSet labels_of(const Json& config, std::int64_t classes) {
  const Json names = config.value("id2label", Json());
  constexpr std::int64_t kImageNetClasses = 1000;
  const bool named = names.is_object() && !names.empty() && static_cast<std::int64_t>(names.size()) == classes;
  const std::string first = named ? names.value("0", "") : "";
  const bool others = named && !first.starts_with("tench") && !first.starts_with("LABEL_");
  if (classes == kImageNetClasses && !others) return LabelSet::imagenet_1k();
  if (!named) return {};
  std::vector<std::string> list;
  for (std::int64_t i = 0; i < classes; ++i) list.push_back(names.value(std::to_string(i), ""));
  return LabelSet::custom(std::move(list));
}

// Counters and masks are left out; weights are not.
void refuse_integer_weights(const std::vector<std::string>& left_out) {
  std::vector<std::string> faults;
  for (const std::string& entry : left_out) {
    if (entry.find("weight (") != std::string::npos || entry.find("bias (") != std::string::npos) {
      faults.push_back("wrong type: " + entry + "; quantised weights are not read");
    }
  }
  throw_weight_faults(faults, "its header");
}

LoadedModel convert_files(const fs::path& file, const ConvertOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Json config = read_optional_json(file.parent_path() / "config.json");
  const Json processor = read_optional_json(file.parent_path() / "preprocessor_config.json");
  SafetensorsFile stored = read_safetensors(file);
  refuse_integer_weights(stored.left_out);
  RenamedWeights renamed = rename_to_timm(std::move(stored.tensors));
  LoadedModel model;
  ModelCard& card = model.card;
  card.config = options.architecture ? detect_parameters(renamed, config, *options.architecture)
                                     : detect_architecture(renamed, config);
  card.preprocess = preprocess_of(card.config, renamed.scheme, config, processor);
  card.config.parameters["image_size"] = card.preprocess.output_size();
  card.labels = labels_of(config, class_count(card.config));
  const fs::path folder = fs::absolute(file).parent_path().filename();
  card.name = options.name.value_or(file.stem() == "model" ? folder.string() : file.stem().string());
  // weights/convert.py passes the file on that it read.
  const Json origin = config.value("source", Json::object());
  const std::string licence =
      config.value("license", config.value("pretrained_cfg", Json::object()).value("license", ""));
  card.source = {origin.value("origin", file.filename().string()), licence,
                 origin.contains("sha256") ? origin.value("sha256", "") : sha256_of_file(file),
                 origin.value("notes", "")};
  check_weights(renamed.weights, build_graph(card.config).weight_specs(), card.config.architecture);
  model.weights = std::move(renamed.weights);
  model.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace

LoadedModel convert_safetensors(const fs::path& source, const ConvertOptions& options) {
  std::error_code error;
  const fs::path file = fs::is_directory(source, error) ? source / "model.safetensors" : source;
  for (const char* ending : {".pth", ".pt", ".bin", ".onnx"}) {
    if (file.extension() == ending) {
      throw UsageError(file.string() + ": weights/convert.py converts " + ending + " files");
    }
  }
  if (options.architecture) find_architecture(*options.architecture);
  try {
    return convert_files(file, options);
  } catch (const ResourceError&) {
    throw;
  } catch (const Error& error_in_file) {
    const std::string text = error_in_file.what();
    throw ModelFileError(text.starts_with(file.string()) ? text : file.string() + ": " + text);
  } catch (const Json::exception& error_in_config) {
    throw ModelFileError(file.string() + ": its config.json or preprocessor_config.json cannot be used (" +
                         error_in_config.what() + ")");
  }
}

}  // namespace tessera
