#pragma once
// The files that hold a model's weights: one .safetensors, or several with an index. Private to weights/.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/weight_store.h"

namespace tessera {

struct WeightFiles {
  WeightStore tensors;
  std::vector<std::string> left_out;  // "conv1.weight (I8)"
  std::string sha256;                 // of the file; of a sharded model, of its files' names and SHA-256s
};

// The .safetensors or .safetensors.index.json file that `source` is, or that the folder `source` holds. Throws
// UsageError for formats that weights/convert.py reads, ModelFileError where there is no such file or more than one.
std::filesystem::path weight_file(const std::filesystem::path& source);

// Throws ModelFileError naming the file and the tensor, also for an index whose files lack a tensor or are not beside
// it.
WeightFiles read_weight_files(const std::filesystem::path& file);

}  // namespace tessera
