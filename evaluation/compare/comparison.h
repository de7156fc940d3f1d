#pragma once
// A comparison: runs every picture of a data set through every model, and decodes each picture once.

#include <cstdint>
#include <memory>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/compare/work.h"
#include "evaluation/ready/classifier.h"
#include "vision/decode.h"

namespace tessera {

// What is measured (MLPerf's SingleStream and Offline scenarios).
enum class ComparisonMode {
  kLatency,     // one picture and one model at a time, nothing beside it
  kThroughput,  // batches; the pictures of the next are read, decoded and preprocessed meanwhile
};
std::string_view to_string(ComparisonMode mode);
// "latency" or "throughput". Throws UsageError.
ComparisonMode mode_from_string(std::string_view name);

struct ComparisonOptions {
  ComparisonMode mode = ComparisonMode::kLatency;
  std::int64_t batch = 1;  // 1 in mode latency
  int warmup = 3;          // runs of each model before the first picture; in no figure
  int workers = 1;         // threads that prepare pictures in mode throughput
  std::uint64_t seed = 1;  // of the order in which the models run, drawn anew for each picture or batch
  DecodeOptions decode;
  // By model: the class of each output in the list that all models share (CommonClasses); empty: the output's index.
  std::vector<std::vector<int>> places = {};
};

struct ComparisonProgress {
  std::size_t done = 0, total = 0, errors = 0;
  std::size_t here = 0;           // part of `done`: pictures of this sitting
  std::vector<std::size_t> top1;  // right so far, by model
  double seconds = 0;             // since the first picture
};

// Throws UsageError for what cannot be compared: a model without classes, batches in mode latency.
void check_models(const std::vector<std::unique_ptr<Classifier>>& models, const ComparisonOptions& options);

// Runs the models on the pictures that `work` gives, and hands the rows of each batch to `work` in the same order. A
// picture that cannot be decoded becomes an error row. Predictions depend on neither batch, mode, order nor the choice
// of pictures. Models must have been opened with max_batch >= options.batch. An exception of `work` ends the run and
// passes through.
void compare_models(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                    const ComparisonOptions& options, Work& work);

// Name (by distinct_names() of model_names.h), size and cost of each model; `sources` are the names that the user gave.
std::vector<ComparedModel> facts_of(const std::vector<std::unique_ptr<Classifier>>& models,
                                    const std::vector<std::string>& sources);

}  // namespace tessera
