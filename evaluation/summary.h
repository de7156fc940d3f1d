#pragma once
// What a comparison comes to: the article's figures, and the agreement that it did not give.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "evaluation/comparison.h"

namespace tessera {

struct TimeSummary {  // ms
  double total = 0, mean = 0, median = 0, min = 0, max = 0;
};

struct ModelSummary {
  std::string name;
  double load_ms = 0;
  std::int64_t top1 = 0, top5 = 0;  // pictures
  TimeSummary preprocess, inference;
  double images_per_second = 0;  // 1000 / (mean preprocess + mean inference): the article's; decoding is not in it
};

struct PairSummary {
  std::size_t first = 0, second = 0;                                    // models
  std::int64_t both = 0, first_only = 0, second_only = 0, neither = 0;  // correct
  std::int64_t same = 0;                             // the same prediction, right or wrong: the true agreement
  std::array<std::vector<std::size_t>, 3> examples;  // rows: first only, second only, neither; up to five each
};

struct ComparisonSummary {
  std::int64_t pictures = 0;  // with predictions
  std::int64_t errors = 0;
  std::vector<ModelSummary> models;
  std::vector<PairSummary> pairs;  // every two models
  TimeSummary load;                // read and decode
  double loop_ms = 0, total_ms = 0;
  bool interrupted = false;
};

ComparisonSummary summarise(const ComparisonResult& result, const std::vector<std::unique_ptr<Classifier>>& models,
                            double total_ms);

// The article's summary, word for word where it was right.
std::string summary_text(const ComparisonSummary& summary, const ComparisonResult& result,
                         const std::vector<std::unique_ptr<Classifier>>& models);
nlohmann::json summary_json(const ComparisonSummary& summary);

// What stands before a model's columns: its family ("resnet") where that is unique, else architecture, else name.
std::vector<std::string> column_prefixes(const std::vector<std::unique_ptr<Classifier>>& models);

// The article's columns for each model, then `image_load_ms` and `error`. RFC 4180 quoting.
std::string predictions_csv(const ComparisonResult& result, const std::vector<std::unique_ptr<Classifier>>& models);

}  // namespace tessera
