#pragma once
// What a comparison gives: the predictions of several models on the same pictures, and what they cost.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/classifier.h"
#include "models/timm_table.h"
#include "vision/dataset.h"
#include "vision/labels.h"

namespace tessera {

// What one model said of one picture.
struct Prediction {
  int index = -1;         // the most probable class
  double confidence = 0;  // its probability, 0 to 1
  bool top1_correct = false;
  bool top5_correct = false;
  std::vector<ClassProbability> best;  // the five most probable; empty where only `index` is known (the article's CSV)
  double preprocess_ms = 0;
  double inference_ms = 0;    // its share: that of the batch, divided by the batch's pictures
  double postprocess_ms = 0;  // softmax and top 5
  // From the start of the batch's inference until all its pictures have their best classes; 0 where not known.
  double batch_ms = 0;
};

struct ComparisonRow {
  std::int64_t number = 0;  // of the picture in the data set, from 0
  Sample sample;
  std::string error;           // not empty: the picture gave no predictions, and this is why
  bool model_failed = false;   // the error is a model's (logits that are no numbers), not the picture's
  std::int64_t contents = -1;  // CRC-32 of the picture's file; -1 where not known
  double read_ms = 0;          // 0 where only the sum is known
  double load_ms = 0;          // read and decode
  double wait_ms = 0;          // the models waited for its batch, divided by the batch's pictures
  std::int64_t batch = 1;      // pictures that ran through the models together, this one counted
  // By the wall: from the end of the batch before it (or the beginning) to the end of its batch, divided by the batch's
  // pictures. They add up to the time of the loop. 0 where not known.
  double wall_ms = 0;
  std::vector<Prediction> predictions;  // by model
  // The five most probable classes by the mean of the models' probabilities; empty for one model or where not known.
  std::vector<ClassProbability> average;
};

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

// What one shard was of a run that was merged.
struct RunPart {
  std::int64_t pictures = 0;
  double loop_ms = 0;
};

// A stretch of a run that was made by one process, or by the processes of one mpirun.
struct RunSitting {
  nlohmann::json environments = nlohmann::json::array();  // environment_record() of each process, where it is known
  std::int64_t pictures = 0;
  double loop_ms = 0;
};
nlohmann::json to_json(const std::vector<RunSitting>& sittings);
// The machines on which the sittings ran pictures, each once: "AMD EPYC 9454 (8 cores, avx512)".
std::vector<std::string> machines_of(const std::vector<RunSitting>& sittings);

struct ComparisonResult {
  std::vector<ComparedModel> models;
  LabelSet labels;
  std::vector<ComparisonRow> rows;
  // Of all sittings; of a merged run the sum over its shards, although they may have run beside each other. 0 where
  // only the predictions are known; so is the next.
  double loop_ms = 0;
  double total_ms = 0;  // loop and loading
  // Pictures that the models would have done in loop_ms with nothing beside them, by what they did in the warm-up; 0
  // where that is not known.
  double alone_pictures = 0;
  bool interrupted = false;
  std::vector<RunSitting> sittings;  // empty where only the predictions are known
  PictureSample sample;              // of the data set, where the run took some of its pictures
  bool overlapped = false;           // mode throughput: pictures were prepared beside the models
  int warmup = -1;                   // runs of each model before the first picture; -1 where not known
  std::vector<RunPart> parts;        // of a merged run, by shard; otherwise empty
};

// What a picture waits for a model: its own preprocessing, then inference and softmax of its whole batch. Reading and
// decoding, and the wait until the batch is full, are not in it.
double latency_ms(const ComparisonRow& row, std::size_t model);
// The inference of the batch that the picture was in.
double batch_inference_ms(const ComparisonRow& row, std::size_t model);

// Fills in what follows from the five most probable classes and the picture's label.
void set_best(Prediction& prediction, std::vector<ClassProbability> best, int label);

}  // namespace tessera
