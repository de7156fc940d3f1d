// Long runs: stopped in every way there is, resumed, sharded, and the same in the end.
#include <sys/file.h>

#include <random>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

class CliRun : public Cli {
 protected:
  // A comparison of the data set into `out`.
  std::vector<std::string> compare(const fs::path& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"compare",   "--data", (folder_ / "data").string(),
                                       "--model",   kResNet,  "--model",
                                       kVit,        "--out",  out.string(),
                                       "--threads", "1",      "--warmup",
                                       "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> expect_rows(const fs::path& out, const std::vector<std::string>& more = {}) const {
    const Outcome outcome = run(compare(out, more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return without_times(out / "predictions.csv");
  }
  // Rows of pictures in the log of a run, whole ones.
  static std::ptrdiff_t rows_in_log(const fs::path& out) {
    std::istringstream log(read_file(out / "run.log"));
    std::ptrdiff_t rows = 0;
    for (std::string line; std::getline(log, line) && !log.eof();)
      rows += line.find("\"number\":") != std::string::npos;
    return rows;
  }
  void put(const fs::path& path, const std::string& text) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  void expect_refused(const std::vector<std::string>& arguments, int exit_code, const std::string& part) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }
};

// Each kill falls while rows are written: after new ones, before the last, at any moment of a picture's work.
TEST_F(CliRun, EndsTheSameAfterTwentyKills) {
  data_set(30);
  const std::vector<std::string> unbroken = expect_rows(folder_ / "unbroken");
  ASSERT_EQ(unbroken.size(), 90U);
  const fs::path out = folder_ / "killed";
  std::mt19937 random(1);
  std::ptrdiff_t done = 0;
  for (int kill = 0; kill < 20; ++kill) {
    const pid_t child = start(compare(out));
    const auto wanted = done + 1 + static_cast<std::ptrdiff_t>(random() % 2);
    while (rows_in_log(out) < wanted) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "ended by itself: " << read_file(folder_ / "err");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "ended by itself after " << done << " rows";
    const std::ptrdiff_t now = rows_in_log(out);
    ASSERT_GT(now, done);
    ASSERT_LT(now, 90);
    done = now;
    EXPECT_FALSE(fs::exists(out / "predictions.csv"));
  }
  const Outcome last = run(compare(out));
  EXPECT_EQ(last.exit_code, 0) << last.err;
  const std::string goes_on = std::to_string(done) + " pictures are done, " + std::to_string(90 - done) + " are left";
  EXPECT_NE(last.err.find(goes_on), std::string::npos) << goes_on << "\n" << last.err;
  EXPECT_EQ(without_times(out / "predictions.csv"), unbroken);
  EXPECT_EQ(expect_rows(out), unbroken);  // nothing is left to do
}

TEST_F(CliRun, DoesATornLineAndADamagedOneAgain) {
  data_set(3);
  const fs::path out = folder_ / "run";
  const std::vector<std::string> rows = expect_rows(out);
  const std::string log = read_file(out / "run.log");
  put(out / "run.log", log.substr(0, log.size() - 30));
  const Outcome torn = run(compare(out));
  EXPECT_EQ(torn.exit_code, 0) << torn.err;
  EXPECT_NE(torn.err.find("8 pictures are done, 1 are left"), std::string::npos) << torn.err;
  EXPECT_EQ(without_times(out / "predictions.csv"), rows);
  std::string damaged = log;
  damaged[log.size() / 2] ^= 1;
  put(out / "run.log", damaged);
  const Outcome mended = run(compare(out));
  EXPECT_EQ(mended.exit_code, 0) << mended.err;
  EXPECT_NE(mended.err.find("is damaged; its picture is done again"), std::string::npos) << mended.err;
  EXPECT_EQ(without_times(out / "predictions.csv"), rows);
}

TEST_F(CliRun, KeepsWhatItHasWhenTheDiskIsFull) {
  data_set(20);
  const std::vector<std::string> unbroken = expect_rows(folder_ / "unbroken");
  const fs::path out = folder_ / "full";
  constexpr rlim_t kDisk = 12'345;  // of one file: write() fails as on a full disk
  const Outcome full = wait(start(compare(out), RLIMIT_FSIZE, kDisk));
  EXPECT_EQ(full.exit_code, 5) << full.err;
  EXPECT_NE(full.err.find("run.log: cannot be written"), std::string::npos) << full.err;
  const std::string log = read_file(out / "run.log");
  EXPECT_LE(log.size(), kDisk);
  EXPECT_EQ(log.back(), '\n');
  EXPECT_FALSE(fs::exists(out / "predictions.csv"));
  EXPECT_EQ(expect_rows(out), unbroken);
}

TEST_F(CliRun, KeepsResultsWhenInterrupted) {
  data_set(100);
  const fs::path out = folder_ / "run";
  pid_t child = start(compare(out));
  wait_for_rows(out, 2, child);
  ::kill(child, SIGINT);
  const Outcome once = wait(child);
  EXPECT_EQ(once.exit_code, 130) << once.err;
  EXPECT_NE(once.out.find("The run was interrupted"), std::string::npos);
  const std::size_t rows = without_times(out / "predictions.csv").size();
  EXPECT_GT(rows, 1U);
  EXPECT_LT(rows, 300U);
  EXPECT_EQ(Json::parse(read_file(out / "summary.json")).at("interrupted"), true);
  child = start(compare(out));
  wait_for_rows(out, static_cast<std::ptrdiff_t>(rows) + 2, child);
  ::kill(child, SIGTERM);
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait(child).exit_code, 143);
  child = start(compare(out, {"--mode", "latency"}));  // the same command: that is the default
  wait_for_rows(out, static_cast<std::ptrdiff_t>(rows) + 4, child);
  ::kill(child, SIGINT);
  EXPECT_EQ(wait(child).exit_code, 130);
}

TEST_F(CliRun, GoesOnOnlyWithTheSameCommand) {
  data_set(1);
  const fs::path out = folder_ / "run";
  const std::vector<std::string> rows = expect_rows(out);
  expect_refused(compare(out, {"--batch", "2"}), 2, "batch: 1 there, 2 here");
  expect_refused(compare(out, {"--preprocess", "hf"}), 2, "models/0/preprocess/");
  expect_refused(compare(out, {"--shard", "1/2"}), 2, "shard 1/1 there, 1/2 here");
  fs::remove(folder_ / "data" / "n01440764" / "0_jpeg_444.jpg");
  expect_refused(compare(out), 2, "data_sha256");
  EXPECT_EQ(without_times(out / "predictions.csv"), rows);  // and nothing is lost
  EXPECT_EQ(expect_rows(out, {"--no-resume"}).size(), rows.size() - 1);
}

TEST_F(CliRun, RefusesALogThatAnotherProcessWrites) {
  data_set(1);
  const fs::path out = folder_ / "run";
  expect_rows(out);
  const int file = ::open((out / "run.log").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(file, LOCK_EX | LOCK_NB), 0);
  expect_refused(compare(out), 2, "another process is writing this run");
  expect_refused(compare(out, {"--no-resume"}), 2, "another process is writing this run");
  ::close(file);
  EXPECT_EQ(run(compare(out)).exit_code, 0);
}

TEST_F(CliRun, DoesNotWriteOverWhatIsNoLog) {
  data_set(1);
  const fs::path out = folder_ / "run";
  fs::create_directories(out);
  put(out / "run.log", "my notes\n");
  expect_refused(compare(out), 3, "run.log: is not the log of a run");
  EXPECT_EQ(read_file(out / "run.log"), "my notes\n");
}

TEST_F(CliRun, PredictsTheSameInBothModes) {
  data_set(3);
  const std::vector<std::string> latency = expect_rows(folder_ / "latency");
  for (const auto& [batch, workers] : {std::pair{"1", "1"}, {"4", "2"}, {"4", "5"}, {"32", "3"}}) {
    const fs::path out = folder_ / (std::string("throughput") + batch + workers);
    EXPECT_EQ(expect_rows(out, {"--mode", "throughput", "--batch", batch, "--workers", workers}), latency) << out;
  }
  expect_refused(compare(folder_ / "x", {"--mode", "latency", "--batch", "2"}), 2, "--mode throughput");
  expect_refused(compare(folder_ / "x", {"--mode", "fast"}), 2, "known: latency, throughput");
}

TEST_F(CliRun, ShardsJoinIntoTheWhole) {
  data_set(3);
  const std::vector<std::string> whole = expect_rows(folder_ / "whole");
  std::vector<std::string> shards;
  for (const char* shard : {"1/4", "2/4", "3/4", "4/4"}) {
    shards.push_back((folder_ / ("shard" + std::string(1, shard[0]))).string());
    expect_rows(shards.back(), {"--shard", shard});
  }
  const fs::path out = folder_ / "merged";
  const auto merge = [&](std::vector<std::string> from) {
    from.insert(from.begin(), "merge");
    from.insert(from.end(), {"--out", out.string()});
    return from;
  };
  expect_refused(merge({shards[0], shards[2], shards[3]}), 3, "is in none of the shards");
  expect_refused(merge({shards[0], shards[1], shards[2], shards[3], shards[1]}), 3, "is in two of the shards");
  expect_refused(merge({shards[0], (folder_ / "missing").string()}), 3, "no such file");
  EXPECT_FALSE(fs::exists(out));
  const Outcome outcome = run(merge(shards));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(without_times(out / "predictions.csv"), whole);
  expect_rows(folder_ / "other", {"--shard", "2/4", "--seed", "5"});
  expect_refused(merge({shards[0], (folder_ / "other").string(), shards[2], shards[3]}), 3, "another run");
  expect_refused(compare(folder_ / "x", {"--shard", "0/4"}), 2, "expected i/n");
  expect_refused(compare(folder_ / "x", {"--shard", "5/4"}), 2, "expected i/n");
  // What was merged is a run like any other.
  EXPECT_EQ(run_json({"analyze", out.string()}).at("pictures"), 9);
}

TEST_F(CliRun, ALimitIsASampleOfAllClassesAndSaysSo) {
  data_set(6);
  const fs::path out = folder_ / "some";
  const std::vector<std::string> some = expect_rows(out, {"--limit", "6"});
  ASSERT_EQ(some.size(), 6U);
  for (const char* wnid : {"n01440764", "n01443537", "n15075141"}) {
    const auto of_class = [&](const std::string& row) { return row.find(wnid) != std::string::npos; };
    EXPECT_EQ(std::ranges::count_if(some, of_class), 2) << wnid;
  }
  EXPECT_EQ(expect_rows(out, {"--limit", "6"}), some);  // the next sitting takes the same
  const std::string words = "6 of 18 pictures, drawn over 3 of 3 classes (seed 1)";
  EXPECT_NE(run({"analyze", out.string()}).out.find(words), std::string::npos);
  EXPECT_NE(read_file(out / "report.html").find(words), std::string::npos);
  for (const char* file : {"run.json", "summary.json"}) {
    EXPECT_EQ(Json::parse(read_file(out / file)).at("sample").at("of"), 18) << file;
  }
  std::vector<std::string> merge{"merge", "--out", (folder_ / "merged").string()};
  for (const char* shard : {"1/2", "2/2"}) {
    merge.push_back((folder_ / ("shard" + std::string(1, shard[0]))).string());
    expect_rows(merge.back(), {"--limit", "6", "--shard", shard});
  }
  ASSERT_EQ(run(merge).exit_code, 0);
  EXPECT_EQ(without_times(folder_ / "merged" / "predictions.csv"), some);
  expect_refused(compare(out, {"--limit", "6", "--limit-order", "first"}), 2, "sample/order");
  for (const std::string& row : expect_rows(folder_ / "first", {"--limit", "6", "--limit-order", "first"})) {
    EXPECT_NE(row.find("n01440764"), std::string::npos);
  }
  expect_refused(compare(folder_ / "x", {"--limit", "6", "--limit-order", "last"}), 2, "known: spread, first");
}

// MLPerf's TEST01: pictures that are run alone, in another order, give what they gave among the others.
TEST_F(CliRun, PredictsTheSameOfASubset) {
  const fs::path data = data_set(2);
  const std::vector<std::string> all = expect_rows(folder_ / "all");
  put(data / "list.csv", "path,index\nn15075141/1_jpeg_progressive.jpg,999\nn01440764/0_jpeg_444.jpg,0\n");
  const Outcome outcome = run({"compare", "--data", (data / "list.csv").string(), "--model", kResNet, "--model", kVit,
                               "--out", (folder_ / "some").string(), "--batch", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  // From the label on: a list gives no folder, and its pictures have other numbers.
  const auto predictions = [](const std::string& row) { return row.substr(row.find(",\"")); };
  const std::vector<std::string> some = without_times(folder_ / "some" / "predictions.csv");
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(predictions(some[0]), predictions(all[5]));
  EXPECT_EQ(predictions(some[1]), predictions(all[0]));
}

TEST_F(CliRun, SaysHowLongMorePicturesWouldTake) {
  data_set(14);
  const fs::path out = folder_ / "timed";
  expect_rows(out);
  const nlohmann::json summary = run_json({"analyze", out.string(), "--extrapolate", "4200"});
  const nlohmann::json& more = summary.at("extrapolation");
  EXPECT_EQ(more.at("measured"), 42);
  EXPECT_NEAR(more.at("seconds").get<double>(), summary.at("loop_ms").get<double>() / 10, 1e-6);  // 100 times, in ms
  EXPECT_LT(more.at("interval").at(0), more.at("seconds"));
  EXPECT_GT(more.at("interval").at(1), more.at("seconds"));
  expect_refused({"analyze", (out / "predictions.csv").string(), "--extrapolate", "4200"}, 2, "with its run.log");
}

}  // namespace
}  // namespace tessera::cli_test
