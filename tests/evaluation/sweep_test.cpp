#include "evaluation/inspect/sweep.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/error.h"
#include "vision/decode.h"

namespace tessera {
namespace {

SweepPlan small_plan() {
  SweepPlan plan{.models = {"seeded:resnet18@1"}, .batches = {1, 2}, .threads = {1}, .run = {}, .runs = 6};
  plan.run.image_size = 32;
  return plan;
}

TEST(Bench, MeasuresEveryCellInTheOrderOfThePlan) {
  SweepPlan plan = small_plan();
  plan.models.push_back("seeded:vit_tiny_patch16_224@1");
  plan.dtypes = {"f32", "bf16"};
  const std::vector<SweepResult> results = run_sweep(plan, [](std::size_t, std::size_t) { return true; });
  ASSERT_EQ(results.size(), 8U);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const SweepResult& r = results[i];
    EXPECT_EQ(r.model, plan.models[i / 4]);
    EXPECT_EQ(r.dtype, plan.dtypes[i / 2 % 2]);
    EXPECT_EQ(r.batch, plan.batches[i % 2]);
    EXPECT_EQ(r.device, "cpu");
    EXPECT_EQ(r.runs, 6U);
    EXPECT_GT(r.min_ms, 0);
    EXPECT_LE(r.min_ms, r.p50_ms);
    EXPECT_LE(r.p50_ms, r.p90_ms);
    EXPECT_LE(r.p90_ms, r.p99_ms);
    EXPECT_DOUBLE_EQ(r.images_per_second, 1000.0 * static_cast<double>(r.batch) / r.p50_ms);
  }
}

TEST(Bench, RunsForTheSecondsThatAreAskedFor) {
  SweepPlan plan = small_plan();
  plan.batches = {1};
  plan.runs = 0;
  plan.seconds = 0.2;
  const std::vector<SweepResult> results = run_sweep(plan, [](std::size_t, std::size_t) { return true; });
  ASSERT_EQ(results.size(), 1U);
  EXPECT_GE(results[0].p99_ms * static_cast<double>(results[0].runs), 200);
  EXPECT_GE(results[0].runs, static_cast<std::size_t>(kSweepRounds));
}

TEST(Bench, KeepsWhatWasMeasuredBeforeAStop) {
  // With six runs in five rounds, the cell that is visited first has one run counted when the second asks.
  int asked = 0;
  const std::vector<SweepResult> results =
      run_sweep(small_plan(), [&](std::size_t, std::size_t) { return ++asked < 2; });
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].runs, 1U);
  EXPECT_EQ(results[0].min_ms, results[0].p99_ms);
  EXPECT_TRUE(run_sweep(small_plan(), [](std::size_t, std::size_t) { return false; }).empty());
}

SweepResult result(const std::string& model, std::int64_t batch, double p50_ms) {
  return {.model = model,
          .device = "cpu",
          .dtype = "f32",
          .batch = batch,
          .runs = 10,
          .min_ms = p50_ms * 0.9,
          .p50_ms = p50_ms,
          .p90_ms = p50_ms * 1.1,
          .p99_ms = p50_ms * 1.3,
          .images_per_second = 1000.0 * static_cast<double>(batch) / p50_ms};
}

TEST(SweepLines, EndWhereMoreBatchGivesNoMoreThroughput) {
  // 100, 190, 198 and 200 images a second: the batch of 4 has 95 % of the best.
  const std::vector<SweepResult> results{result("a", 32, 160), result("a", 1, 10), result("b", 1, 20),
                                         result("a", 4, 4000 / 190.0), result("a", 8, 8000 / 198.0)};
  const std::vector<SweepLine> lines = lines_of(results);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].name, "a, f32, 1 thread");
  EXPECT_EQ(lines[0].results, (std::vector<std::size_t>{1, 3, 4, 0}));
  EXPECT_EQ(lines[0].knee, 3U);
  EXPECT_EQ(lines[1].knee, 2U);
  // The table marks it; a line of one point has no knee.
  const std::string text = sweep_text(results);
  std::istringstream rows(text.substr(0, text.find("\n\n")));
  int marked = 0;
  for (std::string row; std::getline(rows, row);) marked += row.ends_with("knee") ? 1 : 0;
  EXPECT_EQ(marked, 1);
}

Image drawn(const std::vector<SweepResult>& results) {
  const Drawing drawing = draw_sweep(results);
  return decode(std::as_bytes(std::span(drawing.png)), "bench.png");
}

TEST(SweepPlot, DrawsALineForEachModelAndNothingOfNothing) {
  const std::vector<SweepResult> results{result("some/<model>", 1, 10), result("some/<model>", 8, 60),
                                         result("other", 1, 5), result("other", 8, 20)};
  EXPECT_TRUE(draw_sweep(results).svg.starts_with("<?xml"));
  const Image image = drawn(results);
  // Points of both colours: blue (0, 114, 178) and orange (230, 159, 0).
  int blue = 0, orange = 0;
  for (int y = 150; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = image.row(y) + 3 * x;
      blue += pixel[0] < 10 && pixel[2] > 160 ? 1 : 0;
      orange += pixel[0] > 220 && pixel[2] < 10 ? 1 : 0;
    }
  }
  EXPECT_GT(blue, 200);
  EXPECT_GT(orange, 200);
  EXPECT_EQ(drawn({}).width, image.width);
  EXPECT_EQ(drawn({results[0]}).width, image.width);
}

TEST(SweepCsv, HasARowForEachCell) {
  EXPECT_EQ(sweep_csv({result("a,b", 8, 40)}),
            "model,device,dtype,batch,threads,runs,min_ms,p50_ms,p90_ms,p99_ms,images_per_s\r\n"
            "\"a,b\",cpu,f32,8,1,10,36.000000,40.000000,44.000000,52.000000,200.000000\r\n");
}

}  // namespace
}  // namespace tessera
