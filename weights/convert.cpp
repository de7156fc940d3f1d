#include "weights/convert.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "weights/config_files.h"
#include "weights/config_labels.h"
#include "weights/detect.h"
#include "weights/name_maps.h"
#include "weights/preprocess_config.h"
#include "weights/safetensors.h"
#include "weights/sha256.h"
#include "weights/sharded.h"
#include "weights/unwrap.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

// Counters and masks may be left out, weights may not.
void refuse_integer_weights(const std::vector<std::string>& left_out) {
  std::vector<std::string> faults;
  for (const std::string& entry : left_out) {
    if (entry.find("weight (") != std::string::npos || entry.find("bias (") != std::string::npos) {
      faults.push_back("wrong type: " + entry + "; quantised weights are not read");
    }
  }
  throw_weight_faults(faults, "its header");
}

// The name of a lone file may say what its tensors do not show: "resnetaa50-1a2b3c.safetensors".
void refuse_by_file_name(const std::string& stem, const SaidNetwork& said) {
  if (!said.trained_by.empty()) return;
  if (const std::string kind = unsupported_kind(stem.substr(0, stem.find('.'))); !kind.empty()) {
    throw ModelFileError("by its file's name it is a network with " + kind +
                         ", which tessera does not have; --arch NAME converts it as another, where the name is wrong");
  }
}

SaidNetwork said_network(const Json& config, const ConvertOptions& options) {
  if (!options.architecture) return network_of_config(config, options.ignored_keys);
  IgnoredKeys ignored = options.ignored_keys;
  ignored.insert({"architectures", "model_type"});  // the user's name replaces these; the other keys hold
  Json rest = config;
  if (is_timm_config(config)) rest["architecture"] = *options.architecture;
  return named_network(network_of_config(rest, ignored), *options.architecture);
}

// The folder's name; for a snapshot in the hub's cache (models--google--vit/snapshots/3f49...) the repository's name.
std::string name_of_folder(const fs::path& file) {
  std::error_code error;
  const fs::path folder = fs::absolute(file, error).lexically_normal().parent_path();
  const std::string repository = folder.parent_path().parent_path().filename().string();
  constexpr std::string_view kPrefix = "models--";
  if (folder.parent_path().filename() != "snapshots" || !repository.starts_with(kPrefix))
    return folder.filename().string();
  std::string name = repository.substr(kPrefix.size());
  if (const std::size_t dashes = name.find("--"); dashes != std::string::npos) name.replace(dashes, 2, "/");
  return name;
}

Source source_of(const fs::path& file, const Json& config, const WeightFiles& files, const OriginalFile& original) {
  const Json nested = config.value("pretrained_cfg", Json::object());
  const std::string inner = nested.is_object() ? config_value<std::string>(nested, "license", "") : "";
  return {
      original.origin.empty() ? file.filename().string() : original.origin,
      config.contains("license") && config.at("license").is_string() ? config.at("license").get<std::string>() : inner,
      original.sha256.empty() ? files.sha256 : original.sha256, original.notes};
}

LoadedModel convert_files(const fs::path& file, const ConvertOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto note = [&](const std::string& text) {
    if (options.note) options.note(text);
  };
  const auto beside = [&](const char* option, const std::string& given, const char* name) {
    std::error_code error;
    if (!given.empty() && !fs::exists(given, error)) {
      throw UsageError(std::string(option) + " " + given + ": no such file" +
                       (error ? " (" + error.message() + ")" : ""));
    }
    return read_config(given.empty() ? file.parent_path() / name : fs::path(given));
  };
  const Json config = beside("--config", options.config_file, "config.json");
  const Json processor = beside("--processor", options.processor_file, "preprocessor_config.json");
  WeightFiles files = read_weight_files(file);
  refuse_integer_weights(files.left_out);
  RenamedWeights renamed = rename_to_timm(unwrap(std::move(files.tensors), options.prefix, note), note);
  const SaidNetwork said = said_network(config, options);
  const fs::path original = options.original.path.empty() ? file : fs::path(options.original.path);
  refuse_by_file_name(original.stem().string(), said);

  LoadedModel model;
  ModelCard& card = model.card;
  card.config = detect_architecture(renamed, said, note);
  card.source = source_of(file, config, files, options.original);
  const ChosenPreprocess chosen = preprocess_of(
      card.config, said,
      {config, processor, find_known_file(original.filename().string(), card.source.sha256), options.ignored_keys},
      options.preprocess, note);
  card.preprocess = chosen.preprocess;
  card.follows = chosen.follows;
  card.config.parameters["image_size"] = sides_to_json(card.preprocess.output_size());
  card.labels = labels_of(config, class_count(card.config), options.labels, note);
  card.name = options.name.value_or(file.stem() == "model" || file.extension() == ".json" ? name_of_folder(file)
                                                                                          : file.stem().string());
  check_weights(renamed.weights, build_graph(card.config).weight_specs(), card.config.architecture);
  model.weights = std::move(renamed.weights);
  model.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace

LoadedModel convert_safetensors(const fs::path& source, const ConvertOptions& options) {
  const fs::path file = weight_file(source);
  const std::string shown = options.original.path.empty() ? file.string() : options.original.path;
  if (options.architecture) find_architecture(*options.architecture);
  try {
    return convert_files(file, options);
  } catch (const ResourceError&) {
    throw;
  } catch (const Error& error_in_file) {
    const std::string text = error_in_file.what();
    if (error_in_file.kind() == ErrorKind::kUsage && text.starts_with("--")) throw;
    throw ModelFileError(
        text.starts_with(shown) || text.starts_with(file.parent_path().string() + "/") ? text : shown + ": " + text);
  } catch (const Json::exception& error_in_config) {
    throw ModelFileError(shown + ": its config.json or preprocessor_config.json cannot be used (" +
                         error_in_config.what() + ")");
  }
}

}  // namespace tessera
