#pragma once
// What a comparison gives: the predictions of several models on the same pictures, and what they cost.

#include <cstdint>
#include <string>
#include <vector>

#include "evaluation/classifier.h"
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
  double inference_ms = 0;    // of the batch, divided by its pictures
  double postprocess_ms = 0;  // softmax and top 5
};

struct ComparisonRow {
  std::int64_t number = 0;  // of the picture in the data set, from 0
  Sample sample;
  std::string error;                    // not empty: the picture could not be read, and there are no predictions
  double read_ms = 0;                   // 0 where only the sum is known
  double load_ms = 0;                   // read and decode
  double wait_ms = 0;                   // the models waited for its batch, divided by the batch's pictures
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
};

struct ComparisonResult {
  std::vector<ComparedModel> models;
  LabelSet labels;
  std::vector<ComparisonRow> rows;
  double loop_ms = 0;   // of all sittings; 0 where only the predictions are known; so is the next
  double total_ms = 0;  // loop and loading
  // Pictures that the models would have done in loop_ms with nothing beside them, by what they did in the warm-up; 0
  // where that is not known.
  double alone_pictures = 0;
  bool interrupted = false;
  PictureSample sample;  // of the data set, where the run took some of its pictures
};

// Fills in what follows from the five most probable classes and the picture's label.
void set_best(Prediction& prediction, std::vector<ClassProbability> best, int label);

}  // namespace tessera
