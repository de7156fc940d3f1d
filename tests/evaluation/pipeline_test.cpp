#include "evaluation/summary/pipeline.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tessera {
namespace {

// Ten pictures in a second, each with these milliseconds of the models' thread.
ComparisonResult result_with(double wait_ms, double inference_ms, double postprocess_ms, double alone_pictures) {
  ComparisonResult result{.header = {.models = {{.name = "a", .prefix = "a"}}},
                          .rows = {},
                          .loop_ms = 1000,
                          .alone_pictures = alone_pictures};
  for (int i = 0; i < 10; ++i) {
    ComparisonRow row{.number = i, .sample = {}};
    row.wait_ms = wait_ms;
    row.predictions.push_back({.index = 0, .inference_ms = inference_ms, .postprocess_ms = postprocess_ms});
    result.rows.push_back(row);
  }
  return result;
}

TEST(Pipeline, SaysWhatShareOfTheModelsOwnSpeedWasReached) {
  const PipelineSummary p = *summarise_pipeline(result_with(30, 68, 2, 16));
  EXPECT_DOUBLE_EQ(p.per_second, 10);
  EXPECT_DOUBLE_EQ(p.alone_per_second, 16);
  EXPECT_DOUBLE_EQ(p.reached, 0.625);
  EXPECT_NEAR(p.waited, 0.30, 1e-12);
  EXPECT_NEAR(p.slowed, 0.68 - 0.625, 1e-12);
  EXPECT_NEAR(p.other, 0.02, 1e-12);
  EXPECT_EQ(pipeline_json(p).at("reached"), 0.625);
  EXPECT_NE(pipeline_text(p).find("10.00 images/s, 62.5 % of the 16.00"), std::string::npos) << pipeline_text(p);
}

TEST(Pipeline, NamesTheLargestLoss) {
  EXPECT_NE(bound_of(*summarise_pipeline(result_with(1, 97, 2, 10.2))).find("inference itself"), std::string::npos);
  // On a machine that was busy at first: no measure of what came later.
  const std::string slow_start = bound_of(*summarise_pipeline(result_with(16, 83, 1, 9)));
  EXPECT_EQ(slow_start.find("inference itself"), std::string::npos) << slow_start;
  EXPECT_NE(slow_start.find("slower than the run"), std::string::npos) << slow_start;
  EXPECT_NE(bound_of(*summarise_pipeline(result_with(40, 58, 2, 17))).find("decoding"), std::string::npos);
  EXPECT_NE(bound_of(*summarise_pipeline(result_with(5, 93, 2, 15))).find("the cores"), std::string::npos);
  EXPECT_NE(bound_of(*summarise_pipeline(result_with(1, 59, 40, 17))).find("softmax"), std::string::npos);
}

TEST(Pipeline, OfAMergedRunSpeaksOfOneProcess) {
  ComparisonResult result = result_with(30, 68, 2, 16);
  EXPECT_EQ(pipeline_text(*summarise_pipeline(result)).find("a process"), std::string::npos);
  result.parts = {{.pictures = 5, .loop_ms = 500}, {.pictures = 5, .loop_ms = 500}};
  const std::string text = pipeline_text(*summarise_pipeline(result));
  EXPECT_NE(text.find("10.00 images/s a process (2 shards), 62.5 %"), std::string::npos) << text;
}

TEST(Pipeline, IsSilentWhereTheSpeedAloneIsNotKnown) {
  EXPECT_FALSE(summarise_pipeline(result_with(1, 97, 2, 0)));
  EXPECT_FALSE(summarise_pipeline(ComparisonResult{.alone_pictures = 5}));
}

}  // namespace
}  // namespace tessera
