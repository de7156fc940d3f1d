#pragma once
// The result of a comparison: predictions of several models on the same pictures, and their cost.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/run_header.h"
#include "evaluation/ready/probabilities.h"
#include "vision/dataset.h"

namespace tessera {

// One model's prediction for one picture.
struct Prediction {
  int index = -1;         // the most probable class
  double confidence = 0;  // its probability, 0 to 1
  bool top1_correct = false;
  bool top5_correct = false;
  std::vector<ClassProbability> best;  // the five most probable; empty where only `index` is known (the article's CSV)
  double preprocess_ms = 0;
  double inference_ms = 0;    // its share: the batch's time divided by the batch's pictures
  double postprocess_ms = 0;  // softmax and top 5
  // From the start of the batch's inference until all its pictures have their best classes; 0 where not known.
  double batch_ms = 0;
};

struct ComparisonRow {
  std::int64_t number = 0;  // of the picture in the data set, from 0
  Sample sample;
  std::string error;           // not empty: why the picture has no predictions
  bool model_failed = false;   // the error is a model's (NaN or infinite logits), not the picture's
  std::int64_t contents = -1;  // CRC-32 of the picture's file; -1 where not known
  double read_ms = 0;          // 0 where only the sum is known
  double load_ms = 0;          // read and decode
  double wait_ms = 0;          // how long the models waited for its batch, divided by the batch's pictures
  std::int64_t batch = 1;      // pictures that ran together, this one included
  // Wall time from the end of the batch before (or the beginning) to the end of its batch, divided by the batch's
  // pictures. These times add up to the time of the loop. 0 where not known.
  double wall_ms = 0;
  std::vector<Prediction> predictions;  // by model
  // The five most probable classes by the mean of the models' probabilities; empty for one model, or where not known.
  std::vector<ClassProbability> average;
};

// One shard of a merged run.
struct RunPart {
  std::int64_t pictures = 0;
  double loop_ms = 0;
};

// The part of a run that one process, or the processes of one mpirun, made in one go.
struct RunSitting {
  nlohmann::json environments = nlohmann::json::array();  // environment_record() of each process, where it is known
  std::int64_t pictures = 0;
  double loop_ms = 0;
};
nlohmann::json to_json(const std::vector<RunSitting>& sittings);
// The machines on which the sittings ran pictures, each once: "AMD EPYC 9454 (8 cores, avx512)".
std::vector<std::string> machines_of(const std::vector<RunSitting>& sittings);

// Of a run, read from its log or just made; or of predictions alone, and then its header has only models and labels.
struct ComparisonResult {
  RunHeader header;
  std::vector<ComparisonRow> rows;  // by number, each once
  // From the first picture to the last, of all sittings; of a merged run the sum over its shards, although they may
  // have run beside each other. 0 where only the predictions are known; so are the next two.
  double loop_ms = 0;
  double load_ms = 0;  // loading the models
  // Pictures that the models would have done in loop_ms with nothing beside them, at their speed in the warm-up; 0
  // where that is not known.
  double alone_pictures = 0;
  std::vector<RunSitting> sittings;
  std::vector<RunPart> parts;      // of a merged run, by shard; otherwise empty
  std::vector<std::string> notes;  // lines of the log that were not whole, for the user

  // What follows from the above; complete() fills it in.
  bool interrupted = false;
  PictureSample sample;     // of the data set, where the run took some of its pictures
  bool overlapped = false;  // mode throughput: pictures were prepared beside the models
  int warmup = -1;          // runs of each model before the first picture; -1 where not known
};
void complete(ComparisonResult& result);

// How long a picture waits for a model: its own preprocessing, then inference and softmax of its whole batch. Without
// reading, decoding, and the wait until the batch is full.
double latency_ms(const ComparisonRow& row, std::size_t model);
// The inference time of the picture's whole batch.
double batch_inference_ms(const ComparisonRow& row, std::size_t model);

// Sets the fields that follow from the five most probable classes and the picture's label.
void set_best(Prediction& prediction, std::vector<ClassProbability> best, int label);

}  // namespace tessera
