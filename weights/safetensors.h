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

// Throws ModelFileError naming the file and the tensor: header over 100 MB or not JSON, more than 100,000 entries, a
// name twice, offsets out of order, overlapping, with gaps, past the end, or not as long as the shape says.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

}  // namespace tessera
