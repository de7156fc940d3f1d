#include "evaluation/compare/run_ledger.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "core/error.h"
#include "tests/evaluation/run_fixture.h"

namespace tessera {
namespace {

class RunLedgerTest : public SmallRun {
 protected:
  static ComparisonRow row_of(const Dataset& dataset, std::int64_t number) {
    ComparisonRow row{.number = number, .sample = dataset.samples[static_cast<std::size_t>(number)]};
    row.predictions.resize(2);
    for (Prediction& prediction : row.predictions) set_best(prediction, {{1, 0.5}, {2, 0.25}}, row.sample.label);
    row.average = {{1, 0.5}};
    return row;
  }
  RunPlan plan_of(const Dataset& dataset) const {
    RunPlan plan;
    plan.header.settings = {{"batch", 1}};
    plan.header.pictures = static_cast<std::int64_t>(dataset.samples.size());
    plan.header.models = {{.name = "a", .prefix = "a"}, {.name = "b", .prefix = "b"}};
    plan.header.labels = LabelSet::custom({"a", "b", "c", "d", "e"});
    plan.folder = folder_;
    return plan;
  }
};

// Several threads take from it and give to it; they are stopped, and others go on.
TEST_F(RunLedgerTest, HandsOutEachPictureOnceHoweverOftenItIsStopped) {
  const Dataset dataset = pictures(200);
  const RunPlan plan = plan_of(dataset);
  std::set<std::int64_t> given;
  std::vector<std::string> notes;
  for (std::size_t sitting = 1; given.size() < 200; ++sitting) {
    std::atomic<bool> stop{false};
    RunVoice voice = silent();
    voice.progress = [&](const ComparisonProgress& progress) { stop = progress.done >= sitting * 60; };
    voice.note = [&](const std::string& note) { notes.push_back(note); };
    RunLedger ledger(
        dataset, plan, [&] { return stop.load(); }, voice);
    ASSERT_EQ(ledger.left(), 200 - given.size());
    std::array<std::vector<std::int64_t>, 4> taken;
    {
      std::vector<std::jthread> takers;
      for (std::vector<std::int64_t>& mine : taken) {
        takers.emplace_back([&] {
          ledger.begin(1);
          while (!ledger.stopped()) {
            const std::vector<std::int64_t> numbers = ledger.next(3);
            if (numbers.empty()) return;
            std::vector<ComparisonRow> rows;
            for (const std::int64_t number : numbers) rows.push_back(row_of(dataset, number));
            ledger.take(rows);
            mine.insert(mine.end(), numbers.begin(), numbers.end());
          }
        });
      }
    }
    for (const std::vector<std::int64_t>& mine : taken) {
      EXPECT_TRUE(std::ranges::is_sorted(mine));
      for (const std::int64_t number : mine) EXPECT_TRUE(given.insert(number).second) << number << " is given twice";
    }
    const ComparisonResult result = ledger.finish();
    EXPECT_EQ(result.rows.size(), given.size());
    EXPECT_EQ(result.interrupted, given.size() < 200);
  }
  EXPECT_GE(notes.size(), 2U);  // of sittings that went on
  const ComparisonResult record = read_run(folder_);
  ASSERT_EQ(record.rows.size(), 200U);
  for (std::int64_t number = 0; number < 200; ++number) {
    EXPECT_EQ(record.rows[static_cast<std::size_t>(number)].number, number);
  }
}

TEST_F(RunLedgerTest, RefusesARowThatNobodyWasAskedFor) {
  const Dataset dataset = pictures(3);
  const RunPlan plan = plan_of(dataset);
  const RunVoice voice = silent();
  RunLedger ledger(
      dataset, plan, [] { return false; }, voice);
  ASSERT_EQ(ledger.next(1), std::vector<std::int64_t>{0});
  for (const std::int64_t number : {std::int64_t{-1}, std::int64_t{1}, std::int64_t{3}, std::int64_t{1} << 40}) {
    ComparisonRow row = row_of(dataset, 0);
    row.number = number;
    EXPECT_THROW(ledger.take(std::array{row}), InternalError) << number;
  }
  ledger.take(std::array{row_of(dataset, 0)});
  EXPECT_THROW(ledger.take(std::array{row_of(dataset, 0)}), InternalError) << "a second time";
  EXPECT_EQ(ledger.finish().rows.size(), 1U);
}

// The whole of it, as a user's comparison has it: queue, models, ledger and log.
TEST_F(RunLedgerTest, AComparisonEndsTheSameStoppedOrNot) {
  const Dataset dataset = pictures(40);
  auto models = two_models();
  const std::atomic<bool> never{false};
  const ComparisonResult whole = run_comparison(models, dataset, plan(models, dataset, "whole"), never, silent());
  expect_all(whole, 40);
  const RunPlan parts = plan(models, dataset, "parts");
  std::size_t sittings = 0;
  for (bool interrupted = true; interrupted; ++sittings) {
    ASSERT_LT(sittings, 20U);
    std::atomic<bool> stop{false};
    RunVoice voice = silent();
    voice.progress = [&](const ComparisonProgress& progress) { stop = progress.here >= 9; };
    const ComparisonResult result = run_comparison(models, dataset, parts, stop, voice);
    interrupted = result.interrupted;
    if (interrupted) continue;
    expect_all(result, 40);
    expect_same_predictions(result, whole);
  }
  EXPECT_GE(sittings, 3U);
}

}  // namespace
}  // namespace tessera
