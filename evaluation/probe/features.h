#pragma once
// The features that a network gives of labelled pictures, and the file that keeps them (docs/model-format.md).

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/ready/classifier.h"
#include "vision/dataset.h"
#include "vision/decode.h"

namespace tessera {

struct FailedPicture {
  std::int64_t number = 0;  // in the data set
  std::string error;
};

struct FeatureSet {
  std::int64_t width = 0;
  std::vector<float> values;          // [N, width]
  std::vector<int> labels;            // [N]
  std::vector<std::int64_t> numbers;  // [N], the picture's number in the data set, ascending
  std::vector<FailedPicture> failed;  // pictures that could not be read; they have no row
};

struct ExtractionOptions {
  std::int64_t batch = 1;
  int workers = 1;  // threads that prepare pictures
  DecodeOptions decode;
};

struct ExtractionProgress {
  std::size_t done = 0, total = 0, failed = 0;
  double seconds = 0;
};

// `model` has no head (remove_head) and was opened with max_batch >= options.batch. nullopt when `stop` was set. Throws
// CheckError for features that are not finite.
std::optional<FeatureSet> extract_features(std::unique_ptr<Classifier> model, const Dataset& dataset,
                                           const ExtractionOptions& options, const std::atomic<bool>& stop,
                                           const std::function<void(const ExtractionProgress&)>& progress);

// SHA-256 of the pictures' names, folders, labels, sizes and times of change, in hexadecimal digits.
std::string picture_list_hash(const Dataset& dataset);

// Everything that features follow from, by name.
using FeatureKey = nlohmann::json;

// Writes the file whole or not at all. Throws ResourceError.
void write_features(const std::filesystem::path& path, const FeatureSet& features, const FeatureKey& key,
                    const Dataset& dataset);

// The features in a file; or, where they do not belong to `key` and the data set, what differs or what is wrong with
// the file.
struct CachedFeatures {
  std::optional<FeatureSet> features;
  std::string refusal;
};
CachedFeatures read_features(const std::filesystem::path& path, const FeatureKey& key, const Dataset& dataset);

}  // namespace tessera
