// What is said of a comparison holds in each mode: one by one, in batches, merged, with and without a warm-up.

#include "evaluation/summary/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "evaluation/compare/run.h"
#include "evaluation/ready/model_names.h"
#include "evaluation/report/panels.h"
#include "evaluation/report/report.h"
#include "evaluation/summary/extrapolation.h"

namespace tessera {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Two models on pictures that ran `batch` together: 10 and 20 ms of inference for a batch, 1 ms of softmax and 2 ms of
// preprocessing for a picture. The first model is right on all, the second on the first `second` of them.
ComparisonResult result_of_batches(int pictures, std::int64_t batch, int second) {
  ComparisonResult result{.header = {.models = {{.name = "fast", .prefix = "a"}, {.name = "slow", .prefix = "b"}},
                                     .labels = LabelSet::custom({"cat", "dog"})},
                          .rows = {},
                          .loop_ms = 1000,
                          .overlapped = batch > 1,
                          .warmup = 3};
  for (int i = 0; i < pictures; ++i) {
    ComparisonRow row{.number = i, .sample = {.path = {}, .name = "p", .folder = "cat", .label = 0}};
    row.batch = batch;
    row.load_ms = 4;
    for (const bool first : {true, false}) {
      Prediction p{.preprocess_ms = 2, .inference_ms = (first ? 10.0 : 20.0) / static_cast<double>(batch)};
      p.postprocess_ms = 1;
      if (batch > 1) p.batch_ms = (first ? 10 : 20) + static_cast<double>(batch);
      set_best(p, {{first || i < second ? 0 : 1, 0.9}}, 0);
      row.predictions.push_back(p);
    }
    result.rows.push_back(row);
  }
  return result;
}

TEST(Summary, OfBatchesGivesTheLatencyOfABatchAndNotAShareOfIt) {
  const ComparisonResult result = result_of_batches(80, 8, 80);
  const ComparisonSummary summary = summarise(result);
  const ModelSummary& model = summary.models[0];
  EXPECT_DOUBLE_EQ(model.inference.mean, 1.25);
  EXPECT_DOUBLE_EQ(model.inference.total, 100);
  EXPECT_DOUBLE_EQ(model.batch_inference.p90, 10);
  EXPECT_DOUBLE_EQ(model.latency.p90, 2 + 10 + 8);
  EXPECT_DOUBLE_EQ(throughput_of(summary, model), 800);
  EXPECT_DOUBLE_EQ(time_boxes(result)[1].median, 20);
  const nlohmann::json json = summary_json(summary, result);
  EXPECT_FALSE(json.at("models")[0].at("inference_ms").contains("p90"));
  EXPECT_EQ(json.at("models")[0].at("latency_ms").at("p90"), 20);
  EXPECT_EQ(json.at("mode").at("batch"), 8);
  const std::string text = summary_text(summary, result);
  EXPECT_TRUE(has(text, "until a picture's whole batch, of up to 8, is done")) << text;
  EXPECT_TRUE(has(text, "Inference of its batch (p90)")) << text;
  EXPECT_TRUE(has(text, "Inference alone")) << text;
  EXPECT_TRUE(has(text, "these times overlap")) << text;
  EXPECT_TRUE(has(summary_sentences(summary)[2], "The median picture's batch of up to 8 takes fast 10 ms"))
      << summary_sentences(summary)[2];
}

TEST(Summary, OfPicturesAloneSpeaksOfNoBatch) {
  const ComparisonResult result = result_of_batches(80, 1, 80);
  const ComparisonSummary summary = summarise(result);
  EXPECT_DOUBLE_EQ(summary.models[0].latency.p90, 13);
  const nlohmann::json json = summary_json(summary, result);
  EXPECT_EQ(json.at("models")[0].at("inference_ms"), json.at("models")[0].at("batch_inference_ms"));
  EXPECT_FALSE(has(summary_text(summary, result), "batch"));
}

TEST(Summary, HasThePublishedAccuracyBesideTheMeasuredOne) {
  ComparisonResult result = result_of_batches(10, 1, 5);
  EXPECT_FALSE(has(summary_text(summarise(result), result), "published"));
  result.header.models[1].published = published_accuracy("timm/resnet50.a1_in1k", 288);
  const ComparisonSummary summary = summarise(result);
  EXPECT_TRUE(has(summary_text(summary, result),
                  "81.24 % |   95.11 % | published for resnet50.a1_in1k at 288 (timm, whole validation set)"));
  const nlohmann::json models = summary_json(summary, result).at("models");
  EXPECT_FALSE(models[0].contains("published"));
  EXPECT_EQ(models[1].at("published").at("top1"), 81.240);
}

TEST(Summary, SaysThatTimesAreOfSeveralMachines) {
  ComparisonResult result = result_of_batches(4, 1, 4);
  const auto sitting = [](const char* processor, int cores, const char* isa) {
    const nlohmann::json machine{{"processor", processor}, {"physical_cores", cores}, {"isa", {isa}}};
    return RunSitting{.environments = nlohmann::json::array({machine}), .pictures = 2, .loop_ms = 1};
  };
  result.sittings = {sitting("one", 2, "avx2")};
  EXPECT_FALSE(has(summary_text(summarise(result), result), "machines"));
  result.sittings.push_back(sitting("two", 8, "avx512"));
  const ComparisonSummary summary = summarise(result);
  EXPECT_TRUE(has(summary_text(summary, result),
                  "The times are of 2 machines, and of none of them alone: one, 2 cores, avx2; two, 8 cores, avx512"));
  EXPECT_EQ(summary_json(summary, result).at("machines").size(), 2U);
}

// Eight pictures of a batch have one measurement between them; as eight they would make the interval too narrow.
TEST(Summary, TheRatioOfTimesTakesABatchAsOneMeasurement) {
  ComparisonResult batches = result_of_batches(160, 8, 160), alone = result_of_batches(20, 1, 20);
  for (int i = 0; i < 160; ++i) {
    const double ms = 8 + i / 8 % 7;
    batches.rows[static_cast<std::size_t>(i)].predictions[0].inference_ms = ms / 8;
    batches.rows[static_cast<std::size_t>(i)].predictions[1].inference_ms = (20 + i / 8 % 3) / 8.0;
    if (i % 8 != 0) continue;
    alone.rows[static_cast<std::size_t>(i / 8)].predictions[0].inference_ms = ms;
    alone.rows[static_cast<std::size_t>(i / 8)].predictions[1].inference_ms = 20 + i / 8 % 3;
  }
  const Ratio of_batches = summarise(batches).pairs[0].time, one_by_one = summarise(alone).pairs[0].time;
  EXPECT_NEAR(of_batches.ratio, one_by_one.ratio, 1e-12);
  EXPECT_NEAR(of_batches.interval.low, one_by_one.interval.low, 1e-12);
  EXPECT_NEAR(of_batches.interval.high, one_by_one.interval.high, 1e-12);
}

TEST(Summary, SaysOfAWarmUpOnlyWhatTheRunHad) {
  ComparisonResult result = result_of_batches(80, 1, 80);
  result.rows[0].predictions[0].inference_ms = 500;
  const auto text_of = [&](int warmup) {
    result.warmup = warmup;
    const ComparisonSummary summary = summarise(result);
    return summary_text(summary, result) + summary_sentences(summary).back();
  };
  EXPECT_TRUE(has(text_of(0), "no warm-up, which would have kept it out")) << text_of(0);
  EXPECT_TRUE(has(text_of(0), "monotonic clock, no warm-up"));
  EXPECT_TRUE(has(text_of(3), "The warm-up did not keep it out")) << text_of(3);
  EXPECT_TRUE(has(text_of(3), "warm-up of 3 runs excluded"));
  EXPECT_FALSE(has(text_of(3), "would have"));
  result.loop_ms = 0;  // predictions alone
  EXPECT_TRUE(has(text_of(-1), "the first picture took 500 ms")) << text_of(-1);
  EXPECT_FALSE(has(text_of(-1), "warm-up")) << text_of(-1);
}

// Five models, of which the last two are told apart from the first only when ten tests count as one.
TEST(Summary, TheVerdictsOnManyPairsAreHolms) {
  ComparisonResult result = result_of_batches(100, 1, 100);
  for (const int right : {100, 100, 93}) {
    result.header.models.push_back({.name = "m" + std::to_string(right), .prefix = "m"});
    for (int i = 0; i < 100; ++i) {
      Prediction p{.inference_ms = 1};
      set_best(p, {{i < right ? 0 : 1, 0.9}}, 0);
      result.rows[static_cast<std::size_t>(i)].predictions.push_back(p);
    }
  }
  const ComparisonSummary many = summarise(result);
  const PairSummary& pair = many.pairs[3];  // the first and the last
  EXPECT_NEAR(pair.test.p_exact, 0.015625, 1e-12);
  EXPECT_NEAR(pair.p_adjusted, 0.15625, 1e-12);
  EXPECT_TRUE(has(verdict(many, pair),
                  "not distinguishable on 100 pictures; p = 0.016 of this pair alone, 0.16 as one "
                  "of 10 (Holm)"))
      << verdict(many, pair);
  EXPECT_TRUE(has(summary_text(many, result), "Adjusted for 10 pairs (Holm): p = 0.156"));
  EXPECT_NEAR(summary_json(many, result).at("pairs")[3].at("mcnemar").at("p_adjusted").get<double>(), 0.15625, 1e-12);
  for (ComparisonRow& row : result.rows) row.predictions.erase(row.predictions.begin() + 1, row.predictions.end() - 1);
  result.header.models.resize(2);
  const ComparisonSummary two = summarise(result);
  EXPECT_TRUE(has(verdict(two, two.pairs[0]), "is right more often")) << verdict(two, two.pairs[0]);
  EXPECT_FALSE(has(summary_text(two, result), "Holm"));
}

ComparisonResult shard(int index, double loop_ms) {
  ComparisonResult record{.header = {.settings = {{"mode", "throughput"}, {"warmup", 2}},
                                     .pictures = 4,
                                     .shard = {index, 2},
                                     .models = {{.name = "a", .prefix = "a"}},
                                     .labels = LabelSet::custom({"cat", "dog"})},
                          .rows = {},
                          .loop_ms = loop_ms};
  for (int number = index - 1; number < 4; number += 2) {
    ComparisonRow row{.number = number, .sample = {.path = {}, .name = "p", .folder = "cat", .label = 0}};
    Prediction p{.inference_ms = 1};
    set_best(p, {{0, 0.9}}, 0);
    row.predictions.push_back(p);
    record.rows.push_back(row);
  }
  return record;
}

TEST(Summary, OfAMergedRunSaysWhatItsImagesPerSecondAre) {
  const ComparisonResult result = join_runs({shard(1, 100), shard(2, 300)}, {"a", "b"});
  EXPECT_EQ(result.warmup, 2);
  EXPECT_TRUE(result.overlapped);
  const ComparisonSummary summary = summarise(result);
  EXPECT_DOUBLE_EQ(summary.run_per_second, 10);                     // 4 in 0.4 s of process
  EXPECT_DOUBLE_EQ(summary.run_per_second_together, 20 + 2 / 0.3);  // each shard's own
  const std::string text = summary_text(summary, result);
  EXPECT_TRUE(has(text, "THE RUN: 2 SHARDS, their times added up")) << text;
  EXPECT_TRUE(has(text, "if they ran beside each other")) << text;
  EXPECT_EQ(summary_json(summary, result).at("mode").at("shards"), 2);
  const ComparisonResult single = result_of_batches(80, 1, 80);
  EXPECT_FALSE(has(summary_text(summarise(single), single), "SHARDS"));
}

// Stages overlap: with two workers a picture takes them 40 ms and the run 10. What the run took varies, they do not.
TEST(Extrapolation, InBatchesGoesByTheWall) {
  ComparisonResult result = result_of_batches(800, 8, 800);
  result.loop_ms = 0;
  for (ComparisonRow& row : result.rows) {
    row.wall_ms = row.number / 40 % 2 == 0 ? 8 : 12;
    row.load_ms = 1000;
    result.loop_ms += row.wall_ms;
  }
  const Extrapolation more = extrapolate(result, 8000);
  EXPECT_DOUBLE_EQ(more.seconds, 80);
  EXPECT_NEAR(more.interval.high - more.interval.low, 2 * 2.093024 * 16 * std::sqrt(20.0 / 19 / 20), 1e-3);
  result.rows.resize(312);
  EXPECT_THROW(extrapolate(result, 8000), UsageError);  // 39 batches
  result.rows = result_of_batches(40, 1, 40).rows;
  EXPECT_NO_THROW(extrapolate(result, 8000));
}

// A log of an earlier version knows no wall time: what its models' thread did one after the other is nearest to it.
TEST(Extrapolation, WithoutWallTimesTakesTheStagesThatFollowEachOther) {
  ComparisonResult result = result_of_batches(800, 8, 800);
  for (ComparisonRow& row : result.rows) row.load_ms = row.number < 400 ? 0 : 1000;  // beside the models
  const Extrapolation more = extrapolate(result, 8000);
  EXPECT_NEAR(more.interval.high, more.interval.low, 1e-9);
}

TEST(Extrapolation, OfAMergedRunNamesOneProcessAndAllOfThem) {
  ComparisonResult result = result_of_batches(800, 1, 800);
  result.parts = {{.pictures = 400, .loop_ms = 400}, {.pictures = 400, .loop_ms = 600}};
  const Extrapolation more = extrapolate(result, 8000);
  EXPECT_DOUBLE_EQ(more.seconds, 10);
  EXPECT_DOUBLE_EQ(more.together, 8000 / (1000 + 400 / 0.6));
  EXPECT_TRUE(has(extrapolation_text(more), "by one process")) << extrapolation_text(more);
  EXPECT_TRUE(has(extrapolation_text(more), "2 processes like the shards")) << extrapolation_text(more);
}

TEST(ModelNames, TellModelsOfOneNameApart) {
  using Names = std::vector<std::string>;
  const auto names = [](std::vector<NamedModel> models) { return distinct_names(models); };
  EXPECT_EQ(names({{"a", "x/a.h5"}, {"b", "x/b.h5"}}), (Names{"a", "b"}));
  EXPECT_EQ(names({{"a", "x/a.h5"}, {"a", "y/a-int8.h5"}, {"b", ""}}), (Names{"a (a)", "a (a-int8)", "b"}));
  EXPECT_EQ(names({{"a", "x/m.h5"}, {"a", "y/m.h5"}}), (Names{"a #1", "a #2"}));
  EXPECT_EQ(names({{"a", "m.h5"}, {"a", "n.h5"}, {"a", "n.h5"}}), (Names{"a (m)", "a #2", "a #3"}));
  EXPECT_EQ(names({{"a", ""}, {"a", ""}, {"a #1", ""}}), (Names{"a #1", "a #2", "a #1 #3"}));
  EXPECT_EQ(names({{"a", "m.h5"}, {"a", "n.h5"}, {"a (m)", ""}}), (Names{"a #1", "a (n)", "a (m) #3"}));
  const std::vector<NamedModel> settings{{"a", "m.h5"}, {"a", "m.h5"}, {"a", "n.h5"}};
  EXPECT_EQ(names_of_settings(settings), (Names{"a (m)", "a (m)", "a (n)"}));
  EXPECT_EQ(short_names({"timm/a", "hub/b"}), (Names{"a", "b"}));
  EXPECT_EQ(short_names({"timm/a", "hub/a"}), (Names{"timm/a", "hub/a"}));
  EXPECT_EQ(short_names({"timm/a (x)", "timm/a (y)"}), (Names{"a (x)", "a (y)"}));
}

}  // namespace
}  // namespace tessera
