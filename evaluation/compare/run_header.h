#pragma once
// The identity of a run: the first line of its log. Two logs are of one run when their headers are equal.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/timm_table.h"
#include "vision/labels.h"

namespace tessera {

// The pictures of a data set that a process takes: those whose number divided by `count` leaves `index - 1`.
struct Shard {
  int index = 1;  // 1 to count
  int count = 1;
  bool operator==(const Shard&) const = default;
};
// "2/4". Throws UsageError.
Shard shard_from_string(const std::string& text);

// What is known of a model that was compared.
struct ComparedModel {
  std::string name;
  std::string prefix;  // of its columns in predictions.csv: its family ("resnet") where that is unique
  // 0 where only the predictions are known:
  double load_ms = 0;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;          // multiply-adds of a picture
  std::int64_t memory_bytes = 0;  // weights as they are packed, arena and scratch
  // What timm publishes of weights of that name, where the classes are ImageNet's.
  std::optional<PublishedAccuracy> published = std::nullopt;
};

struct RunHeader {
  // Everything that predictions follow from, and how times were taken: models, hashes of their weights and calibration,
  // preprocessing, kernels, dtype, batch, mode, this program's commit, the hash of the data set's names, labels and
  // sizes. The same for all shards of a run. (Contents of pictures are in the rows, machines in the sittings.)
  nlohmann::json settings;
  std::int64_t pictures = 0;  // of the data set, all shards together
  Shard shard;
  std::vector<ComparedModel> models;
  LabelSet labels;
};

// Throws InputError for anything but a header and for impossible values: a log may come from anybody.
RunHeader header_from_json(const nlohmann::json& json);
nlohmann::json to_json(const RunHeader& header);
// Whether a truncated first line is the beginning of a header.
bool begins_a_header(std::string_view line);

// "models/0/isa: avx512 there, avx2 here": the first few settings in which two runs differ, and differences beyond the
// settings: the number of pictures, the models.
std::string differing_settings(const RunHeader& there, const RunHeader& here);

}  // namespace tessera
