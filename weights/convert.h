#pragma once
// Converts other libraries' weights to a model (`tessera convert`), without Python.

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "weights/model_file.h"

namespace tessera {

// How a model's pictures are prepared, as far as the user says it; the configuration says the rest.
struct PreprocessOptions {
  // "" (the configuration's), "timm", "hf" or "hf-fast" (whose resizing and rounding), "torchvision" or
  // "torchvision-v2" (those of its ImageNet weights), or the path of a JSON file as the libraries write it.
  std::string choice;
  std::optional<std::array<float, 3>> mean, std;
  std::optional<Sides> size;                            // of the picture that the model takes
  std::optional<std::string> interpolation, crop_mode;  // "bicubic"; "center" or "squash"
  std::optional<double> crop_pct;                       // share of the resized edge that is kept
};

// The original of a file that another program has rewritten as safetensors.
struct OriginalFile {
  std::string path;    // for messages; "" where the file is the original
  std::string sha256;  // of that file
  std::string origin, notes;
};

struct ConvertOptions {
  std::optional<std::string> architecture = std::nullopt;  // otherwise found from config.json, names and shapes
  std::optional<std::string> name = std::nullopt;          // otherwise the source's
  PreprocessOptions preprocess = {};
  std::string labels = {};                           // "", "imagenet-1k", "none", or a text file of a name a line
  std::optional<std::string> prefix = std::nullopt;  // of the tensors that are the network
  std::set<std::string> ignored_keys = {};           // of the configuration, treated as absent
  std::string config_file = {},
              processor_file = {};  // otherwise config.json, preprocessor_config.json beside the weights
  OriginalFile original = {};
  std::function<void(const std::string&)> note = {};  // takes a line for each unsaid decision
};

// `source` is a .safetensors file, the index of a sharded one, or a folder with either. config.json and
// preprocessor_config.json beside it (as on the Hugging Face hub, of timm or transformers) say what weights do not:
// epsilon, heads, labels, preprocessing. Nothing that changes a result is guessed. Throws ModelFileError, with what to
// do, for tensors that do not fit (listing all), and for settings that are missing, unknown or contradictory;
// UsageError for an unknown architecture.
LoadedModel convert_safetensors(const std::filesystem::path& source, const ConvertOptions& options = {});

}  // namespace tessera
