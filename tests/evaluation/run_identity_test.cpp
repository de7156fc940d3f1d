// What makes a run that run: its header, its pictures' contents, its machines; and what its log does not take.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "core/file.h"
#include "evaluation/compare/comparison.h"
#include "evaluation/compare/picture_contents.h"
#include "evaluation/compare/run.h"
#include "evaluation/compare/run_ledger.h"
#include "evaluation/ready/environment.h"
#include "tests/temporary_folder.h"
#include "vision/prepare.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class RunIdentity : public WithFolder {
 protected:
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::trunc) << text;
  }
  std::string log_text() const { return read_file(folder_ / "run.log", 1 << 20); }

  Dataset dataset() const {
    Dataset data;
    for (int i = 0; i < 4; ++i) {
      const std::string name = "p" + std::to_string(i);
      if (!fs::exists(folder_ / name)) put(name, "contents " + name);
      data.samples.push_back({.path = folder_ / name, .name = name, .folder = "cat", .label = 0});
    }
    return data;
  }
  static RunHeader header() {
    return {.settings = {{"mode", "latency"}, {"batch", 1}, {"models", {{{"name", "a"}}}}},
            .pictures = 4,
            .models = {{.name = "a", .prefix = "a"}},
            .labels = LabelSet::custom({"cat", "dog"})};
  }
  static nlohmann::json machine(const std::string& processor) {
    return nlohmann::json::array({{{"processor", processor}, {"physical_cores", 2}, {"isa", {"avx2"}}}});
  }
  RunPlan plan(const std::string& processor = "one") const {
    return {.header = header(), .folder = folder_, .environments = machine(processor)};
  }
  static ComparisonRow row(const Dataset& data, std::int64_t number) {
    const Sample& sample = data.samples[static_cast<std::size_t>(number)];
    ComparisonRow row{.number = number, .sample = sample};
    row.contents = contents_of(read_picture(sample));
    row.predictions.resize(1);
    set_best(row.predictions[0], {{0, 0.7}, {1, 0.3}}, 0);
    return row;
  }
  // A sitting that does these pictures.
  ComparisonResult sit(const RunPlan& plan, const Dataset& data, const std::vector<std::int64_t>& numbers,
                       const std::string& error = "") {
    notes_.clear();
    const RunVoice voice{.progress = [](const ComparisonProgress&) {},
                         .note = [&](const std::string& note) { notes_ += note + "\n"; }};
    RunLedger ledger(
        data, plan, [] { return false; }, voice);
    left_ = ledger.left();
    ledger.next(left_);
    for (const std::int64_t number : numbers) {
      ComparisonRow done = row(data, number);
      if (!error.empty()) {
        done.error = error;
        done.predictions.clear();
      }
      ledger.take({&done, 1});
    }
    return ledger.finish();
  }
  // The message that a sitting is refused with.
  template <class Kind>
  std::string refusal(const RunPlan& plan, const Dataset& data) {
    try {
      sit(plan, data, {});
    } catch (const Kind& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return "";
  }

  std::string notes_;
  std::size_t left_ = 0;
};

TEST_F(RunIdentity, APictureWithOtherContentsEndsTheRunThatGoesOn) {
  const Dataset data = dataset();
  sit(plan(), data, {0, 1});
  put("p1", "Contents p1");  // as long as before
  EXPECT_NE(refusal<UsageError>(plan(), data).find("p1 has other contents"), std::string::npos);
  put("p1", "contents p1");
  put("p3", "not seen yet, so it may be anything");
  EXPECT_EQ(sit(plan(), data, {2, 3}).rows.size(), 4U);
}

TEST_F(RunIdentity, TheHashOfTheDataTellsSizes) {
  const Dataset data = dataset();
  const std::string before = dataset_hash(data);
  EXPECT_EQ(dataset_hash(data), before);
  put("p2", "a copy of another quality");
  EXPECT_NE(dataset_hash(data), before);
}

TEST_F(RunIdentity, PicturesThatCouldNotBeReadAreTriedAgain) {
  const Dataset data = dataset();
  sit(plan(), data, {0, 2});
  sit(plan(), data, {1, 3}, "cannot be read");
  const ComparisonResult result = sit(plan(), data, {1, 3});
  EXPECT_EQ(left_, 2U);
  EXPECT_NE(notes_.find("2 pictures could not be read and are tried again"), std::string::npos) << notes_;
  ASSERT_EQ(result.rows.size(), 4U);
  const ComparisonResult record = read_run(folder_);
  ASSERT_EQ(record.rows.size(), 4U);  // of two rows of a picture the later one counts
  for (const ComparisonRow& done : record.rows) EXPECT_EQ(done.error, "");
}

TEST_F(RunIdentity, EachSittingHasItsMachine) {
  const Dataset data = dataset();
  EXPECT_EQ(machines_of(sit(plan("one"), data, {0}).sittings), std::vector<std::string>{"one, 2 cores, avx2"});
  sit(plan("idle"), data, {});  // ran nothing: no time is its
  const std::vector<std::string> both{"one, 2 cores, avx2", "two, 2 cores, avx2"};
  EXPECT_EQ(machines_of(sit(plan("two"), data, {1, 2, 3}).sittings), both);
  const ComparisonResult record = read_run(folder_);
  ASSERT_EQ(record.sittings.size(), 3U);
  EXPECT_EQ(record.sittings[2].pictures, 3);
  EXPECT_EQ(machines_of(record.sittings), both);
  put("run.log", run_log_text(record));  // as `merge` writes it
  EXPECT_EQ(to_json(read_run(folder_).sittings), to_json(record.sittings));
}

TEST_F(RunIdentity, ALogWithoutARowKeepsNobodyFromTheRightCommand) {
  const Dataset data = dataset();
  sit(plan(), data, {});
  RunPlan other = plan();
  other.header.settings["batch"] = 8;
  sit(other, data, {0});
  EXPECT_NE(refusal<UsageError>(plan(), data).find("batch: 8 there, 1 here"), std::string::npos);
}

TEST_F(RunIdentity, HeadersThatCannotBeAreRefused) {
  const auto expect_refused = [&](const auto& change, const std::string& part) {
    ComparisonResult record{.header = header()};
    change(record.header);
    put("run.log", run_log_text(record));
    try {
      read_run(folder_);
      ADD_FAILURE() << part;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_refused([](RunHeader& h) { h.shard = {1, 0}; }, "shard 1/0");
  expect_refused([](RunHeader& h) { h.shard = {3, 2}; }, "shard 3/2");
  expect_refused([](RunHeader& h) { h.pictures = -1; }, "-1 pictures");
  expect_refused([](RunHeader& h) { h.pictures = std::int64_t{1} << 40; }, "pictures");
  expect_refused([](RunHeader& h) { h.models.clear(); }, "0 models");
  expect_refused([](RunHeader& h) { h.models.resize(3, h.models[0]); }, "3 models and the settings of 1");
  expect_refused([](RunHeader& h) { h.settings = 7; }, "no JSON object");
  expect_refused([](RunHeader& h) { h.models[0].macs = -5; }, "negative");
}

// More pictures or models than the run has: rows would be written beyond what is there.
TEST_F(RunIdentity, ALogOfMorePicturesOrModelsIsOfAnotherRun) {
  const Dataset data = dataset();
  ComparisonResult record{.header = header(), .rows = {row(data, 1)}};
  record.header.pictures = 1000;
  record.rows[0].number = 999;
  put("run.log", run_log_text(record));
  EXPECT_NE(refusal<UsageError>(plan(), data).find("1000 pictures there, 4 here"), std::string::npos);
  record.header.pictures = 4;
  record.rows[0].number = 1;
  record.header.settings.erase("models");
  record.header.models.resize(40, record.header.models[0]);
  record.rows[0].predictions.resize(40, record.rows[0].predictions[0]);
  put("run.log", run_log_text(record));
  RunPlan without = plan();
  without.header.settings.erase("models");
  EXPECT_NE(refusal<UsageError>(without, data).find("40 models there, 1 here"), std::string::npos);
}

TEST_F(RunIdentity, WhatIsNoLogIsNeverWrittenOver) {
  const Dataset data = dataset();
  RunPlan anew = plan();
  anew.resume = false;
  for (const std::string& text : {std::string("my notes, without a line's end"), std::string("deadbeef"),
                                  std::string("12345678 {\"format\":\"other\"}\n")}) {
    put("run.log", text);
    EXPECT_NE(refusal<InputError>(plan(), data).find("is not the log of a run"), std::string::npos);
    EXPECT_NE(refusal<InputError>(anew, data).find("is not the log of a run"), std::string::npos);
    EXPECT_EQ(log_text(), text);
  }
  put("elsewhere", "somebody's");
  fs::remove(folder_ / "run.log");
  fs::create_symlink(folder_ / "elsewhere", folder_ / "run.log");
  EXPECT_NE(refusal<InputError>(anew, data).find("symbolic link"), std::string::npos);
  EXPECT_EQ(read_file(folder_ / "elsewhere", 100), "somebody's");
}

TEST_F(RunIdentity, AMergeReplacesNoOtherRunsLog) {
  const Dataset data = dataset();
  sit(plan(), data, {0, 1, 2, 3});
  const ComparisonResult merged = read_run(folder_);
  write_run_log(folder_, merged, false);  // the same merge again
  ComparisonResult other = merged;
  other.header.settings["seed"] = 7;
  const std::string before = log_text();
  EXPECT_THROW(write_run_log(folder_, other, false), UsageError);
  EXPECT_EQ(log_text(), before);
  {
    const RunLog running(folder_ / "run.log", header(), true);
    EXPECT_THROW(write_run_log(folder_, other, true), UsageError);  // not even by force
  }
  write_run_log(folder_, other, true);
  EXPECT_EQ(read_run(folder_).header.settings["seed"], 7);
}

TEST_F(RunIdentity, AShardOfOtherModelsOrClassesIsNotJoined) {
  const Dataset data = dataset();
  const auto shard = [&](int index) {
    ComparisonResult record{.header = header(), .rows = {row(data, index - 1), row(data, index + 1)}};
    record.header.shard = {index, 2};
    return record;
  };
  EXPECT_EQ(join_runs({shard(1), shard(2)}, {"a", "b"}).rows.size(), 4U);
  ComparisonResult other = shard(2);
  other.header.labels = LabelSet::custom({"dog", "cat"});
  EXPECT_THROW(join_runs({shard(1), other}, {"a", "b"}), InputError);
  other = shard(2);
  other.header.models[0].name = "b";
  EXPECT_THROW(join_runs({shard(1), other}, {"a", "b"}), InputError);
}

TEST_F(RunIdentity, SaysWhereOnePictureStandsForTwoClasses) {
  Dataset data = dataset();
  std::vector<ComparisonRow> rows;
  const auto note = [&](const std::vector<std::string>& contents, const std::vector<int>& labels) {
    rows.clear();
    for (std::size_t i = 0; i < contents.size(); ++i) {
      put(data.samples[i].name, contents[i]);
      data.samples[i].label = labels[i];
      rows.push_back({.number = static_cast<std::int64_t>(i),
                      .sample = data.samples[i],
                      .contents = contents_of(std::as_bytes(std::span(contents[i])))});
    }
    return note_of_same_pictures(rows);
  };
  EXPECT_EQ(note({"a", "b", "c", "d"}, {0, 1, 0, 1}), "");
  EXPECT_EQ(note({"a", "a", "c", "c"}, {0, 0, 1, 1}), "");
  EXPECT_EQ(note({"a", "a", "c", "c"}, {0, -1, 1, -1}), "");
  const std::string first = (folder_ / "p1").string() + " (class 1) and " + (folder_ / "p3").string() + " (class 0)";
  const std::string text = note({"a", "b", "a", "b"}, {0, 1, 0, 0});
  EXPECT_TRUE(text.starts_with("1 picture(s) have the same bytes as one of another class")) << text;
  EXPECT_TRUE(text.ends_with("the first: " + first)) << text;
  EXPECT_TRUE(note({"a", "b", "b", "a"}, {0, 1, 2, 3}).starts_with("2 picture(s)"));
  // A checksum alone proves nothing.
  note({"a", "b", "a", "b"}, {0, 1, 0, 0});
  put("p3", "other");
  EXPECT_EQ(note_of_same_pictures(rows), "");
  fs::remove(folder_ / "p3");
  EXPECT_EQ(note_of_same_pictures(rows), "");
}

// ---------------------------------------------------------------- logits that are no numbers

class AllOf final : public Work {
 public:
  explicit AllOf(std::int64_t count) : pictures_(count) {}
  std::vector<std::int64_t> next(std::size_t most) override { return pictures_.next(most); }
  void begin(double) override {}
  void take(std::span<const ComparisonRow> batch) override { rows.insert(rows.end(), batch.begin(), batch.end()); }
  bool stopped() const override { return false; }
  std::vector<ComparisonRow> rows;

 private:
  AllPictures pictures_;
};

// A small network whose head's weights are multiplied by `factor`.
std::unique_ptr<Classifier> scaled_model(float factor, std::int64_t max_batch) {
  LoadedModel model = seeded_model(make_config("resnet18", {{"image_size", 32}, {"classes", 5}}), 1);
  model.card.preprocess = model.card.preprocess.at_size(32);
  model.card.labels = {};
  Tensor head = model.weights.take("fc.weight");
  for (std::int64_t i = 0; i < head.shape().count(); ++i) head.data()[i] *= factor;
  model.weights.put("fc.weight", std::move(head));
  return std::make_unique<Classifier>(std::move(model), RunOptions{.device = "cpu", .max_batch = max_batch});
}

std::vector<ComparisonRow> rows_with(float factor, std::int64_t batch) {
  Dataset data;
  for (const char* name : {"jpeg_444.jpg", "png_rgb.png"}) {
    data.samples.push_back({.path = fs::path(TESSERA_TEST_DATA) / "vision" / name, .name = name, .label = 0});
  }
  std::vector<std::unique_ptr<Classifier>> models;
  models.push_back(scaled_model(1, batch));
  models.push_back(scaled_model(factor, batch));
  AllOf work(2);
  compare_models(models, data,
                 {.mode = batch > 1 ? ComparisonMode::kThroughput : ComparisonMode::kLatency, .batch = batch}, work);
  return work.rows;
}

TEST(Logits, ThatAreNoNumbersGiveAnErrorRow) {
  for (const std::int64_t batch : {1, 2}) {
    for (const ComparisonRow& row : rows_with(std::numeric_limits<float>::infinity(), batch)) {
      EXPECT_TRUE(row.model_failed);
      EXPECT_NE(row.error.find("logit "), std::string::npos) << row.error;
      EXPECT_NE(row.error.find(row.sample.name), std::string::npos) << row.error;
      EXPECT_TRUE(row.predictions.empty());
      EXPECT_TRUE(row.average.empty());
      const std::vector<ComparisonRow> back = rows_of_lines(lines_of_rows({&row, 1}), 2);
      EXPECT_TRUE(back.at(0).model_failed);
    }
    for (const ComparisonRow& row : rows_with(1, batch)) EXPECT_EQ(row.error, "");
  }
}

TEST(Logits, SayWhichIsNoNumber) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(fault_of_logits(std::vector<float>{1, -2}), "");
  EXPECT_EQ(fault_of_logits(std::vector<float>{1, kNan}), "logit 1 of 2 is nan");
  EXPECT_EQ(fault_of_logits(std::vector<float>{kInfinity, kNan}), "logit 0 of 2 is infinite");
  EXPECT_THROW(probabilities(std::vector<float>{1, kNan}), ModelFileError);
  // Finite ones may be as large as a float can be.
  const std::vector<double> sure = probabilities(std::vector<float>{std::numeric_limits<float>::max(), 0});
  EXPECT_EQ(sure, (std::vector<double>{1, 0}));
  // No order of what is no number is taken for one.
  const std::vector<double> some{0.2, std::numeric_limits<double>::quiet_NaN(), 0.8};
  EXPECT_EQ(top(some, 3)[0].index, 2);
  EXPECT_EQ(top(some, 3)[2].index, 1);
}

// ---------------------------------------------------------------- MLPerf's TEST04: nothing is answered from memory

// Counts what a session's threads compute.
class Counter final : public RegionObserver {
 public:
  void after_part(int, std::int64_t, std::int64_t, std::int64_t tasks) override { tasks_ += tasks; }
  std::int64_t take() { return tasks_.exchange(0); }

 private:
  std::atomic<std::int64_t> tasks_ = 0;
};

fs::path test_picture(const std::string& name) { return fs::path(TESSERA_TEST_DATA) / "vision" / name; }

TEST(Memory, APictureIsComputedAnewEachTimeItComes) {
  const std::array<std::string, 6> distinct{"jpeg_420.jpg", "jpeg_422.jpg", "jpeg_grey.jpg",
                                            "png_rgb.png",  "jpeg_444.jpg", "png_grey.png"};
  Dataset one, same, others;
  for (const std::string& name : distinct) {
    same.samples.push_back({.path = test_picture("jpeg_444.jpg"), .name = "jpeg_444.jpg", .label = 0});
    others.samples.push_back({.path = test_picture(name), .name = name, .label = 0});
  }
  constexpr std::int64_t kPictures = 6;
  for (const std::int64_t batch : {1, 3}) {
    one.samples.assign(same.samples.begin(), same.samples.begin() + batch);
    std::vector<std::unique_ptr<Classifier>> models;
    models.push_back(scaled_model(1, batch));
    Counter counter;
    models.front()->session().observe_threads(&counter);
    const auto computed = [&](const Dataset& pictures) {
      const auto count = static_cast<std::int64_t>(pictures.samples.size());
      AllOf work(count);
      compare_models(
          models, pictures,
          {.mode = batch > 1 ? ComparisonMode::kThroughput : ComparisonMode::kLatency, .batch = batch, .warmup = 0},
          work);
      EXPECT_EQ(work.rows.size(), static_cast<std::size_t>(count));
      return counter.take();
    };
    const std::int64_t of_one = computed(one);
    EXPECT_GT(of_one, 0);
    EXPECT_EQ(computed(same), kPictures / batch * of_one);
    EXPECT_EQ(computed(others), kPictures / batch * of_one);
    models.front()->session().observe_threads(nullptr);
  }
}

// Puts other contents under the same name behind each picture.
class Replacing final : public Work {
 public:
  Replacing(fs::path file, std::vector<std::string> contents)
      : file_(std::move(file)),
        contents_(std::move(contents)),
        pictures_(static_cast<std::int64_t>(contents_.size())) {}
  std::vector<std::int64_t> next(std::size_t most) override {
    if (rows.size() < contents_.size()) {
      fs::copy_file(test_picture(contents_[rows.size()]), file_, fs::copy_options::overwrite_existing);
    }
    return pictures_.next(most);
  }
  void begin(double) override {}
  void take(std::span<const ComparisonRow> batch) override { rows.insert(rows.end(), batch.begin(), batch.end()); }
  bool stopped() const override { return false; }
  std::vector<ComparisonRow> rows;

 private:
  fs::path file_;
  std::vector<std::string> contents_;
  AllPictures pictures_;
};

TEST_F(RunIdentity, APictureIsReadAnewEachTimeItComes) {
  const std::vector<std::string> contents{"jpeg_420.jpg", "png_rgb.png", "jpeg_420.jpg"};
  Dataset data, apart;
  for (const std::string& name : contents) {
    data.samples.push_back({.path = folder_ / "picture", .name = "picture", .label = 0});
    apart.samples.push_back({.path = test_picture(name), .name = name, .label = 0});
  }
  std::vector<std::unique_ptr<Classifier>> models;
  models.push_back(scaled_model(1, 1));
  Replacing work(folder_ / "picture", contents);
  compare_models(models, data, {.warmup = 0}, work);
  AllOf expected(3);
  compare_models(models, apart, {.warmup = 0}, expected);
  ASSERT_EQ(work.rows.size(), 3U);
  EXPECT_NE(work.rows[0].contents, work.rows[1].contents);
  for (std::size_t i = 0; i < work.rows.size(); ++i) {
    EXPECT_EQ(work.rows[i].contents, expected.rows[i].contents);
    EXPECT_EQ(work.rows[i].predictions.at(0).confidence, expected.rows[i].predictions.at(0).confidence);
  }
}

TEST(BuildCommit, IsAHashOrNotKnown) {
  const std::string commit(build_commit());
  EXPECT_EQ(commit.substr(0, 12).find_first_not_of("0123456789abcdef"), std::string::npos) << commit;
}

}  // namespace
}  // namespace tessera
