#pragma once
// The summary of a comparison: the article's figures, and those it did not give: intervals, tests, true agreement,
// calibration. Computed from predictions alone, whether models ran or a CSV was read.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/summary/pipeline.h"
#include "evaluation/summary/statistics.h"

namespace tessera {

struct SummaryOptions {
  std::uint64_t seed = 1;     // of the bootstrap
  std::size_t examples = 20;  // disagreements and classes that are listed
};

struct TimeSummary {  // ms
  double total = 0, mean = 0, median = 0, p90 = 0, p99 = 0, min = 0, max = 0;
  double first = 0;  // of the first picture, an outlier without a warm-up
};

struct ModelSummary {
  ComparedModel model;
  std::int64_t top1 = 0, top5 = 0;  // pictures
  Interval top1_interval, top5_interval;
  // Times of a picture. In batches inference is the picture's share of its batch: its sum and mean are right, but no
  // single run took as long as a share.
  TimeSummary preprocess, inference, postprocess;
  TimeSummary batch_inference;  // of the whole batch that a picture was in; by picture
  TimeSummary latency;          // latency_ms() of result.h
  // 1000 / (mean preprocess + mean inference): the article's. One after the other; decoding is not in it.
  double images_per_second = 0;
  double images_per_second_with_decoding = 0;
  double inference_per_second = 0;  // 1000 / mean inference
  double confidence = 0;            // mean of the predictions' probabilities
  std::vector<ReliabilityBin> reliability;
  double calibration_error = 0;
};

// A class on which two models differ.
struct ClassDifference {
  int label = -1;
  std::int64_t pictures = 0, first = 0, second = 0;  // right
};

// How many pictures of a class each model predicts right.
struct ClassAccuracy {
  int label = -1;
  std::int64_t pictures = 0;
  std::vector<std::int64_t> correct;  // by model
};

struct PairSummary {
  std::size_t first = 0, second = 0;  // models
  PairCounts correct;
  std::int64_t same = 0;        // the same prediction, right or wrong: the true agreement
  std::int64_t same_wrong = 0;  // of those, wrong
  McNemar test;
  double p_adjusted = 1;         // test.p_exact, by Holm over all pairs of the summary
  Difference difference;         // of top-1
  Ratio time;                    // mean inference of the first over that of the second; a batch is one measurement
  double error_consistency = 0;  // NaN where it has no meaning
  double cohen_kappa = 0;
  std::int64_t more_confident = 0;                     // right if one always trusts the more confident of the two
  std::array<std::int64_t, 2> right_when_different{};  // each model, where the predictions differ
  std::array<std::vector<std::size_t>, 3> examples;    // rows: first only, second only, neither; up to five each
  std::vector<std::size_t> disagreements;              // rows; the one on which both were the most confident first
  std::vector<ClassDifference> classes;                // the largest difference first

  std::int64_t either() const noexcept { return correct.total() - correct.neither; }  // right for an oracle
};

struct ComparisonSummary {
  std::int64_t pictures = 0;  // with predictions
  std::int64_t errors = 0;
  std::vector<ModelSummary> models;
  std::vector<PairSummary> pairs;      // every two models
  TimeSummary load;                    // read and decode
  TimeSummary read;                    // of it; zeros where only the sum is known
  std::vector<ClassAccuracy> classes;  // that have pictures, by index
  // Pictures that the mean of the models' probabilities predicts right; -1 where it is not known.
  std::int64_t average_top1 = -1, average_top5 = -1;
  double loop_ms = 0, total_ms = 0;  // as ComparisonResult has them
  std::int64_t batch = 1;            // the most pictures that ran together
  bool overlapped = false;           // as ComparisonResult has them
  int warmup = -1;
  std::size_t parts = 0;  // shards of a merged run
  // Pictures a second of the run, through all models, by the time of its loop; 0 where that is not known. For a merged
  // run: of one process, and of all shards if they ran at the same time.
  double run_per_second = 0, run_per_second_together = 0;
  std::optional<PipelineSummary> pipeline;
  bool interrupted = false;
  std::vector<std::string> machines;  // on which the times were measured, each once; empty where not known
  PictureSample sample;               // as ComparisonResult has it
};

ComparisonSummary summarise(const ComparisonResult& result, const SummaryOptions& options = {});

// The article's summary, in its words where they were right, and the statistics.
std::string summary_text(const ComparisonSummary& summary, const ComparisonResult& result);
nlohmann::json summary_json(const ComparisonSummary& summary, const ComparisonResult& result);

// The verdict on two models' accuracies in a sentence, by the adjusted p value.
std::string verdict(const ComparisonSummary& summary, const PairSummary& pair);
// A sentence that the first picture took far longer than the others, with likely reasons; "" where it did not.
std::string outlier_sentence(const ComparisonSummary& summary, const ModelSummary& model);
// Images a second through this model: preprocessing and inference one after the other in mode latency; inference alone
// where pictures were prepared at the same time.
double throughput_of(const ComparisonSummary& summary, const ModelSummary& model);

}  // namespace tessera
