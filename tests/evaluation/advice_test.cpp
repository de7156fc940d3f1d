#include "evaluation/summary/advice.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace tessera {
namespace {

ModelSummary model(const char* name, std::int64_t top1, double p90, std::int64_t megabytes, std::int64_t parameters) {
  ModelSummary summary{.model = {.name = name, .prefix = name}};
  summary.model.memory_bytes = megabytes * 1'000'000;
  summary.model.parameters = parameters * 1'000'000;
  summary.top1 = top1;
  summary.latency.p90 = p90;
  summary.images_per_second = 1000 / p90;
  return summary;
}

ComparisonSummary four_models() {
  ComparisonSummary summary{.pictures = 100};
  summary.models = {model("small", 70, 5, 20, 5), model("middle", 80, 20, 100, 25), model("worse", 79, 20, 100, 26),
                    model("large", 81, 90, 350, 86)};
  return summary;
}

TEST(Advice, ReadsBudgets) {
  const Budget budget = budget_from_string("latency=0.01s,memory=200MB,accuracy=78%,throughput=50,parameters=30M");
  EXPECT_DOUBLE_EQ(*budget.latency_ms, 10);
  EXPECT_DOUBLE_EQ(*budget.memory_bytes, 2e8);
  EXPECT_DOUBLE_EQ(*budget.accuracy, 0.78);
  EXPECT_DOUBLE_EQ(*budget.images_per_second, 50);
  EXPECT_DOUBLE_EQ(*budget.parameters, 3e7);
  EXPECT_FALSE(budget_from_string("latency=500us").accuracy);
  EXPECT_DOUBLE_EQ(*budget_from_string("memory=1GiB").memory_bytes, 1073741824.0);
  for (const char* text : {"latency", "latency=", "latency=fast", "latency=-1ms", "latency=1min", "speed=3",
                           "accuracy=120%", "latency=nan", "latency=1ms,latency=2ms", "=3"}) {
    EXPECT_THROW(budget_from_string(text), UsageError) << text;
  }
}

TEST(Advice, FindsTheFrontAndWhatMeetsTheBudget) {
  const ComparisonSummary summary = four_models();
  const std::vector<ModelAdvice> advice = advise(summary, budget_from_string("latency=50ms,accuracy=75%"));
  EXPECT_TRUE(advice[0].on_front);
  EXPECT_TRUE(advice[1].on_front);
  EXPECT_FALSE(advice[2].on_front);  // as slow and as large as the middle one, and less accurate
  EXPECT_TRUE(advice[3].on_front);
  ASSERT_EQ(advice[0].misses.size(), 1U);
  EXPECT_EQ(advice[0].misses[0], "top-1 70 % < 75 %");
  EXPECT_TRUE(advice[1].misses.empty());
  EXPECT_TRUE(advice[2].misses.empty());
  ASSERT_EQ(advice[3].misses.size(), 1U);
  EXPECT_EQ(advice[3].misses[0], "latency 90 ms > 50 ms");
  EXPECT_EQ(advice_text(summary, advice).find("None of"), std::string::npos);
  EXPECT_NE(advice_text(summary, advise(summary, budget_from_string("latency=1ms"))).find("None of"),
            std::string::npos);
}

TEST(Advice, InBatchesSpeaksOfTheBatchAndOfInferenceAlone) {
  ComparisonSummary summary = four_models();
  summary.batch = 8;
  summary.overlapped = true;
  for (ModelSummary& of_model : summary.models) of_model.inference_per_second = 10 * of_model.images_per_second;
  const std::vector<ModelAdvice> advice = advise(summary, budget_from_string("latency=50ms,throughput=100"));
  EXPECT_TRUE(advice[1].misses.empty()) << advice[1].misses[0];  // 50 a second in turn, 500 of inference
  ASSERT_EQ(advice[3].misses.size(), 1U);
  EXPECT_EQ(advice[3].misses[0], "latency of a batch of 8 90 ms > 50 ms");
  const std::string text = advice_text(summary, advice);
  EXPECT_NE(text.find("of its whole batch of up to 8"), std::string::npos) << text;
  EXPECT_NE(text.find("inference alone"), std::string::npos) << text;
}

TEST(Advice, SaysWhatIsNotKnown) {
  ComparisonSummary summary = four_models();
  for (ModelSummary& of_model : summary.models) of_model.model.memory_bytes = of_model.model.parameters = 0;
  const std::vector<ModelAdvice> advice = advise(summary, budget_from_string("memory=1GB"));
  EXPECT_EQ(advice[0].misses[0], "memory is not known");
  EXPECT_FALSE(advice[2].on_front);  // by accuracy alone, for latency is the same
}

}  // namespace
}  // namespace tessera
