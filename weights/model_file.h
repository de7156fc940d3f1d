#pragma once
// A tessera model file: one HDF5 file that is a whole model. docs/model-format.md describes it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/value.h"
#include "engine/weight_store.h"
#include "models/registry.h"
#include "vision/labels.h"
#include "vision/preprocess.h"

namespace tessera {

// Where weights come from.
struct Source {
  std::string origin;  // "timm/resnet50.a1_in1k", "seeded", a file's name
  std::string licence;
  std::string sha256;  // of the file that was converted
  std::string notes;
};

// Ranges of the model's activations on some pictures, from which int8 arithmetic takes its scales.
struct Calibration {
  ValueRanges ranges;  // by the activation's name in the graph; empty: not calibrated
  std::int64_t pictures = 0;
  std::string method;           // how the ranges were chosen
  std::string pictures_sha256;  // of the SHA-256s of the pictures' files; "" in files that do not have it
};

// {"name": [low, high]}: int8 results follow from these and the weights.
nlohmann::json ranges_json(const Calibration& calibration);
std::string ranges_sha256(const Calibration& calibration);

// Everything about a model but its weights.
struct ModelCard {
  std::string name;  // its name in tables
  ModelConfig config;
  Preprocess preprocess;
  LabelSet labels;
  Source source;
  std::string follows;  // whose defaults filled gaps of the converted configuration: "timm 1.0.31"; or ""
  Calibration calibration;
  std::string sha256;  // of the names and SHA-256s of all tensors: identifies the weights
};

// A model with all of its weights.
struct LoadedModel {
  ModelCard card;
  WeightStore weights;
  double load_ms = 0;
};

// A model whose weights are read, or made, one at a time, when a program takes them (WeightSource). Opening reads the
// card and checks every tensor's place, shape and name. Taking reads a tensor and checks it (SHA-256, finite values);
// the program packs it while it is in the caches. Memory goes from one tensor to the next (MemoryPool). So no weight is
// in memory twice, and the system clears half as many pages. Where one tensor's values are bad, all are looked at, so
// that one error names every fault.
struct OpenedModel {
  ModelCard card;
  std::unique_ptr<WeightSource> weights;
  double open_ms = 0;
};

struct LoadOptions {
  bool verify = true;  // compare the SHA-256 of every tensor
  int threads = 1;
};

// Throw ModelFileError naming the file and listing every tensor that is missing, unexpected, misshapen, of another
// type, damaged or not finite. Values are checked when they are read; in an opened file that is when they are taken.
LoadedModel load_model_file(const std::filesystem::path& path, const LoadOptions& options = {});
OpenedModel open_model_file(const std::filesystem::path& path, bool verify = true);
ModelCard read_model_card(const std::filesystem::path& path);

// Writes a temporary file beside `path` and puts it in place when it is whole. Returns the card with its sha256. Throws
// ModelFileError when the weights do not fit the card, ResourceError when it cannot be written.
ModelCard save_model_file(const std::filesystem::path& path, const ModelCard& card, const WeightStore& weights,
                          int threads = 1);

}  // namespace tessera
