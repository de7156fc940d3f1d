#pragma once
// A comparison: every picture of a data set through every model, each picture decoded once.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluation/classifier.h"
#include "vision/dataset.h"
#include "vision/decode.h"
#include "vision/labels.h"

namespace tessera {

// What one model said of one picture.
struct Prediction {
  int index = -1;         // the most probable class
  double confidence = 0;  // its probability, 0 to 1
  bool top1_correct = false;
  bool top5_correct = false;
  double preprocess_ms = 0;
  double inference_ms = 0;    // of the batch, divided by its pictures
  double postprocess_ms = 0;  // softmax and top 5
};

struct ComparisonRow {
  Sample sample;
  std::string error;                    // not empty: the picture could not be read, and there are no predictions
  double load_ms = 0;                   // read and decode
  std::vector<Prediction> predictions;  // by model
};

struct ComparisonOptions {
  std::int64_t batch = 1;
  int warmup = 3;  // runs of each model before the first picture; in no figure
  DecodeOptions decode;
};

struct ComparisonProgress {
  std::size_t done = 0, total = 0, errors = 0;
  double seconds = 0;  // since the first picture
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
};

struct ComparisonResult {
  std::vector<ComparedModel> models;
  LabelSet labels;
  std::vector<ComparisonRow> rows;
  double loop_ms = 0;   // 0 where only the predictions are known; so is the next
  double total_ms = 0;  // from the start of the program
  bool interrupted = false;
};

// Runs the models one after the other on each batch of pictures. `stop` ends the run after the batch at hand. Rows come
// in the order of the data set; a picture that cannot be decoded becomes an error row. Predictions do not depend on the
// batch. Models must have been opened with max_batch >= options.batch. `total_ms` is left to the caller.
ComparisonResult compare_models(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const ComparisonOptions& options, const std::atomic<bool>& stop,
                                const std::function<void(const ComparisonProgress&)>& progress);

}  // namespace tessera
