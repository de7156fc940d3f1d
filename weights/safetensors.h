#pragma once
// Reader of safetensors files (https://huggingface.co/docs/safetensors): untrusted input, checked in full before any
// tensor is read. F32, F16, BF16 and F64 become float32; integer tensors (num_batches_tracked, masks) are left out.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/weight_store.h"

namespace tessera {

struct SafetensorsFile {
  WeightStore tensors;
  std::map<std::string, std::string> metadata;  // of the header's __metadata__
  std::vector<std::string> left_out;            // "conv1.weight (I8)"
};

// Throws ModelFileError naming the file and the tensor: a header over 100 MB or not JSON, more than 100,000 entries, a
// repeated name, offsets that are out of order, overlap, leave gaps or pass the end, and data that is not as long as
// the shape says.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

}  // namespace tessera
