#pragma once
// Reference files: pictures and what another implementation makes of them, layer by layer. docs/model-format.md has the
// layout; tests/reference/make_reference.py writes them.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace tessera {

struct ReferenceActivation {
  std::string path;                   // of a layer or block: "layer1.0.conv1"
  Shape shape;                        // [N, H, W, C], [N, T, C] or [N, C]
  std::vector<std::int64_t> indices;  // flat; empty: all values are there
  std::vector<double> values;
};

struct ReferenceFile {
  std::string model;  // what made it, for messages
  Tensor input;       // [N, H, W, 3], preprocessed
  Shape output_shape;
  std::vector<double> output;  // logits or features
  std::vector<ReferenceActivation> activations;
};

// The same care as with model files. Throws ModelFileError.
ReferenceFile read_reference_file(const std::filesystem::path& path);
void write_reference_file(const std::filesystem::path& path, const ReferenceFile& reference);

}  // namespace tessera
