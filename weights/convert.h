#pragma once
// From other libraries' weights to a model: what `tessera convert` does, without Python.

#include <filesystem>
#include <optional>
#include <string>

#include "weights/model_file.h"

namespace tessera {

struct ConvertOptions {
  std::optional<std::string> architecture;  // otherwise found from config.json, names and shapes
  std::optional<std::string> name;          // otherwise the source's
};

// `source` is a .safetensors file, or a folder with model.safetensors. config.json and preprocessor_config.json beside
// it (as on the Hugging Face hub, of timm or transformers) give what weights do not say: epsilon, heads, image size,
// labels, preprocessing. Without them the architecture's own defaults hold.
// Throws ModelFileError listing every tensor that does not fit, UsageError for an unknown architecture.
LoadedModel convert_safetensors(const std::filesystem::path& source, const ConvertOptions& options = {});

}  // namespace tessera
