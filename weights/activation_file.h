#pragma once
// Files of activations, references and dumps alike: pictures and what a model makes of them, layer by layer, in the
// order of execution. docs/model-format.md has the layout; `tessera dump`, tests/reference/dump_torch.py and
// make_reference.py write them, `tessera diff` and `tessera verify` read them.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "weights/hdf5.h"

namespace tessera {

struct StoredActivation {
  std::string path;                   // of a layer or block: "layer1.0.conv1"
  Shape shape;                        // [N, H, W, C], [N, T, C] or [N, C]
  std::vector<std::int64_t> indices;  // flat; empty: all values are present
  std::vector<double> values;
};

// What a file says about an activation before its values are read.
struct ActivationEntry {
  std::string path;
  Shape shape;
  std::string layer;  // its kind, "Conv2d"; empty where the writer did not say
  std::string key;    // of its dataset
  bool sampled = false;
  // For complete values: their type in a dataset of the activation's own shape. Absent: a vector of float64.
  std::optional<Hdf5Type> type = std::nullopt;
};

// "NHWC", "NTC" or "NC" by the rank; "" for others.
std::string_view layout_of(const Shape& shape);

// Reads one activation at a time, with the same care as model files. All functions throw ModelFileError naming the
// file.
class ActivationReader {
 public:
  explicit ActivationReader(const std::filesystem::path& path);

  const std::string& file() const noexcept { return file_.file(); }
  const std::string& model() const noexcept { return model_; }
  // In the order of execution.
  const std::vector<ActivationEntry>& activations() const noexcept { return entries_; }
  const Shape& input_shape() const noexcept { return input_shape_; }
  const Shape& output_shape() const noexcept { return output_shape_; }
  Tensor input() const;
  std::vector<double> output() const;
  StoredActivation read(const ActivationEntry& entry) const;

 private:
  Hdf5Reader file_;
  std::string model_;
  Shape input_shape_, output_shape_;
  std::vector<ActivationEntry> entries_;
};

// Writes one activation at a time, in the order of execution; the file appears when commit() returns, or not at all.
// Throws ResourceError.
class ActivationWriter {
 public:
  // `settings` says how it was made, for people; it may be null.
  ActivationWriter(const std::filesystem::path& path, std::string model, nlohmann::json settings = nullptr);
  void add(const std::string& path, std::string_view layer, ConstView values);
  void add(const StoredActivation& activation);
  void commit(ConstView input, const Shape& output_shape, const std::vector<double>& output);

 private:
  std::string next_key(const std::string& path) const;

  Hdf5Writer file_;
  nlohmann::json index_;
};

struct ActivationFile {
  std::string model;  // what made it, for messages
  Tensor input;       // [N, H, W, 3], preprocessed
  Shape output_shape;
  std::vector<double> output;  // logits or features
  std::vector<StoredActivation> activations;
};

// A whole file at once.
ActivationFile read_activation_file(const std::filesystem::path& path);
void write_activation_file(const std::filesystem::path& path, const ActivationFile& reference);

}  // namespace tessera
