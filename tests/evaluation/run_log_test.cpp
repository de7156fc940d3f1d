#include "evaluation/compare/run_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "core/error.h"
#include "core/file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class RunLogTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  static RunHeader header() {
    return {.settings = {{"mode", "latency"}, {"batch", 1}},
            .pictures = 5,
            .models = {{.name = "a/b", .prefix = "a", .load_ms = 10}, {.name = "c", .prefix = "c", .load_ms = 5}},
            .labels = LabelSet::custom({"cat", "dog", "cow", "owl", "fox", "bee"})};
  }
  static ComparisonRow row(std::int64_t number) {
    ComparisonRow row{.number = number,
                      .sample = {.path = {}, .name = "p,\"1\" \xFC.jpg", .folder = "cat", .label = 2}};
    row.read_ms = 0.1;
    row.load_ms = 1.0 / 3;
    row.predictions.resize(2);
    set_best(row.predictions[0], {{2, 0.7}, {1, 0.1}}, 2);
    set_best(row.predictions[1], {{4, 1e-9}, {2, 0.0}}, 2);
    row.predictions[1].inference_ms = 0.1 + static_cast<double>(number);
    row.average = {{2, 0.4}};
    return row;
  }
  void put(const std::string& text) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << text; }
  std::string text() const { return read_file(path_, 1 << 20); }
  std::string written() const {
    RunLog log(path_, header(), true);
    for (std::int64_t number : {0, 1, 2}) log.append(row(number), static_cast<double>(number + 1));
    return text();
  }

  fs::path path_ = fs::temp_directory_path() / ("tessera-runlog-" + std::to_string(::getpid()));
};

TEST_F(RunLogTest, GivesBackWhatWasWritten) {
  written();
  {
    RunLog log(path_, header(), true);
    EXPECT_EQ(log.before().rows.size(), 3U);
    ComparisonRow failed{.number = 4, .sample = {.path = {}, .name = "x", .folder = "", .label = 0}};
    failed.error = "x: is empty";
    log.append(failed, 0.5);
  }
  const ComparisonResult record = read_run_log(path_);
  EXPECT_EQ(record.header.settings, header().settings);
  EXPECT_EQ(record.header.models[0].name, "a/b");
  EXPECT_EQ(record.header.labels.name(3), "owl");
  EXPECT_EQ(record.loop_ms, 3500);  // of both sittings
  EXPECT_EQ(record.load_ms, 30);
  EXPECT_TRUE(record.notes.empty());
  ASSERT_EQ(record.rows.size(), 4U);
  const ComparisonRow expected = row(1), &read = record.rows[1];
  EXPECT_EQ(read.sample.name, expected.sample.name);
  EXPECT_EQ(read.sample.folder, "cat");
  EXPECT_EQ(read.load_ms, expected.load_ms);  // every digit
  EXPECT_TRUE(read.predictions[0].top1_correct);
  EXPECT_FALSE(read.predictions[1].top1_correct);
  EXPECT_TRUE(read.predictions[1].top5_correct);
  EXPECT_EQ(read.predictions[1].inference_ms, expected.predictions[1].inference_ms);
  EXPECT_EQ(read.predictions[1].best[0].probability, 1e-9);
  EXPECT_EQ(read.average[0].index, 2);
  EXPECT_EQ(record.rows[3].error, "x: is empty");
}

// A process that dies at any byte leaves the rows before it.
TEST_F(RunLogTest, HoldsEveryWholeRowWhereverItIsCutOff) {
  const std::string whole = written();
  const std::size_t head = whole.find('\n') + 1;
  // Shorter than this it might be anybody's file, and one write() tears no line so soon.
  const std::size_t known = whole.find("tessera-run-log") + 16;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length), '\n');
    put(whole.substr(0, length));
    if (length > 0 && length < known) {
      EXPECT_THROW(RunLog(path_, header(), true), InputError) << length;
      continue;
    }
    const RunLog log(path_, header(), true);
    EXPECT_EQ(log.before().rows.size(), static_cast<std::size_t>(std::max<std::ptrdiff_t>(lines - 2, 0))) << length;
    EXPECT_EQ(text().substr(0, head), whole.substr(0, head)) << length;
    EXPECT_EQ(text().back(), '\n') << length;
  }
}

TEST_F(RunLogTest, NoFlippedBitPassesForARow) {
  const std::string whole = written();
  const std::size_t rows = whole.find("\n", whole.find('\n') + 1) + 1;  // header and sitting go before
  for (std::size_t at = rows; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 7)));
    put(damaged);
    const ComparisonResult record = read_run_log(path_);
    EXPECT_LT(record.rows.size(), 3U) << at;
    EXPECT_FALSE(record.notes.empty()) << at;
  }
}

TEST_F(RunLogTest, RefusesWhatIsNoLog) {
  const std::string whole = written();
  for (const std::string& text : {std::string("image,wnid\n"), std::string("\n"), "00000000 {}\n" + whole}) {
    put(text);
    EXPECT_THROW(read_run_log(path_), InputError) << text.substr(0, 20);
    EXPECT_THROW(RunLog(path_, header(), true), InputError) << text.substr(0, 20);
    EXPECT_EQ(this->text(), text);
  }
  put("");
  EXPECT_THROW(read_run_log(path_), InputError);
}

TEST_F(RunLogTest, TwoCannotWriteIt) {
  const RunLog log(path_, header(), true);
  EXPECT_THROW(RunLog(path_, header(), true), UsageError);
}

TEST(Shards, AreNamedFromOne) {
  EXPECT_EQ(shard_from_string("2/4"), (Shard{2, 4}));
  for (const char* text : {"", "2", "0/4", "5/4", "-1/2", "1/2/3", "1/", "/2", "1/9999999", "a/b", "1 /2"}) {
    EXPECT_THROW(shard_from_string(text), UsageError) << text;
  }
}

TEST_F(RunLogTest, KeepsWhatTheModelsManageAloneAndHowLongTheyWaited) {
  for (int sitting = 0; sitting < 2; ++sitting) {
    RunLog log(path_, header(), true);
    log.append_alone(4);
    log.append_alone(2);  // another process of the same sitting
    ComparisonRow waited = row(sitting);
    waited.wait_ms = 12.5;
    log.append(waited, 3);
  }
  ComparisonResult record = read_run_log(path_);
  EXPECT_DOUBLE_EQ(record.alone_pictures, 36);  // 6 a second in 3 seconds, twice
  EXPECT_DOUBLE_EQ(record.rows[1].wait_ms, 12.5);
  put(run_log_text(record));
  EXPECT_DOUBLE_EQ(read_run_log(path_).alone_pictures, 36);
}

TEST_F(RunLogTest, KeepsTheBatchOfAPictureAndItsTimes) {
  RunHeader batches = header();
  batches.settings["batch"] = 8;
  {
    RunLog log(path_, batches, true);
    ComparisonRow last = row(0);  // alone in the last batch of a run in eights
    last.wall_ms = 3.25;
    log.append(last, 1);
    ComparisonRow shared = row(1);
    shared.batch = 8;
    shared.predictions[0].batch_ms = 44.5;
    log.append(shared, 2);
  }
  ComparisonResult record = read_run_log(path_);
  EXPECT_EQ(record.rows[0].batch, 1);
  EXPECT_EQ(record.rows[0].wall_ms, 3.25);
  EXPECT_EQ(record.rows[1].batch, 8);
  EXPECT_EQ(record.rows[1].predictions[0].batch_ms, 44.5);
  record.parts = {{.pictures = 1, .loop_ms = 20}, {.pictures = 1, .loop_ms = 30}};
  put(run_log_text(record));
  EXPECT_EQ(read_run_log(path_).parts.at(1).loop_ms, 30);
  EXPECT_EQ(read_run_log(path_).rows.size(), 2U);
}

// Such a log has neither "batch" nor "wall_ms" in its rows; what ran together is in its settings.
// As a run writes one, with its checksum.
std::string line(const nlohmann::json& json) {
  const std::string text = json.dump();
  return fmt::format("{:08x} {}\n", ::crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()), text);
}

// A row with these answers of two models.
std::string row_line(const nlohmann::json& first, const nlohmann::json& second) {
  return line({{"number", 0},
               {"image", "x"},
               {"folder", "cat"},
               {"label", 2},
               {"seconds", 1},
               {"read_ms", 0},
               {"load_ms", 1},
               {"models", {first, second}}});
}

// What a NaN would be in JSON.
TEST_F(RunLogTest, NamesALineWhoseValuesAreNone) {
  const nlohmann::json best{{"best", {{2, nullptr}}}, {"ms", {1.0, 2.0, 0.5}}};
  put(run_log_text({.header = header(), .rows = {}}) + row_line(best, best));
  try {
    read_run_log(path_);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()), path_.string() +
                                             ": line 3 is not what a run writes: type must be number, but is null; "
                                             "run it again into another folder");
  }
}

TEST_F(RunLogTest, KnowsTheBatchesOfALogOfAnEarlierVersion) {
  RunHeader batches = header();
  batches.settings["batch"] = 8;
  std::string earlier = run_log_text({.header = batches, .rows = {}});
  earlier += row_line({{"best", {{2, 0.5}}}, {"ms", {1.0, 2.0, 0.5}}}, {{"best", {{1, 0.5}}}, {"ms", {1.0, 4.0, 0.5}}});
  put(earlier);
  const ComparisonResult record = read_run_log(path_);
  ASSERT_EQ(record.rows.size(), 1U);
  EXPECT_EQ(record.rows[0].batch, 8);
  EXPECT_DOUBLE_EQ(batch_inference_ms(record.rows[0], 1), 32);
  EXPECT_DOUBLE_EQ(latency_ms(record.rows[0], 0), 1 + 8 * 2.5);
}

TEST_F(RunLogTest, SendsRowsAsLines) {
  const std::vector<ComparisonRow> rows{row(3), row(1)};
  const std::string lines = lines_of_rows(rows);
  const std::vector<ComparisonRow> back = rows_of_lines(lines, 2);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].number, 3);
  EXPECT_EQ(back[1].sample.name, rows[1].sample.name);
  EXPECT_EQ(back[0].predictions[1].inference_ms, rows[0].predictions[1].inference_ms);
  EXPECT_EQ(lines_of_rows(back), lines);
  EXPECT_TRUE(rows_of_lines("", 2).empty());
  std::string damaged = lines;
  damaged[lines.size() / 2] ^= 1;
  EXPECT_THROW(rows_of_lines(damaged, 2), InputError);
  EXPECT_THROW(rows_of_lines(lines.substr(0, lines.size() - 1), 2), InputError);
  EXPECT_THROW(rows_of_lines(lines, 3), InputError);
}

}  // namespace
}  // namespace tessera
