// Bad input and a hostile system, met by a comparison.
#include <sys/stat.h>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

class CliFaults : public Cli {
 protected:
  std::vector<std::string> compare(const fs::path& data, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"compare", "--data", data.string(), "--out", out_.string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Refused before any work: neither a log nor results.
  void expect_refused(const std::vector<std::string>& arguments, int exit_code, const std::string& part) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in: " << outcome.err;
    EXPECT_FALSE(fs::exists(out_));
  }

  fs::path out_ = fs::temp_directory_path() / ("tessera-cli-" + std::to_string(::getpid())) / "run";
};

TEST_F(CliFaults, RefusesLabelsThatDoNotFitThePictures) {
  const fs::path flat = folder_ / "flat", truth = folder_ / "truth.txt";
  fs::create_directories(flat);
  for (const char* name : {"ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"}) {
    fs::copy_file(kPictures / "jpeg_444.jpg", flat / name);
  }
  const std::vector<std::string> arguments = compare(flat, {"--model", kVit, "--ground-truth", truth.string()});
  std::ofstream(truth) << "7\n";
  expect_refused(arguments, 3, "truth.txt");
  std::ofstream(truth) << "7\n8\n9\n";
  expect_refused(arguments, 3, "truth.txt");
  std::ofstream(truth) << "7\n1000\n";
  expect_refused(arguments, 3, "1000");
  const fs::path data = data_set();
  std::ofstream(data / "list.csv") << "path,index\nn01440764/0_jpeg_444.jpg,1000\n";
  expect_refused(compare(data / "list.csv", {"--model", kVit}), 3, "class 1000 is out of range");
  std::ofstream(folder_ / "labels.json") << R"({"n01440764": 1000, "n01443537": 1, "n15075141": 2})";
  expect_refused(compare(data, {"--model", kVit, "--labels", (folder_ / "labels.json").string()}), 3, "1000");
}

TEST_F(CliFaults, RefusesToGoOnWithOtherWeights) {
  const fs::path data = data_set();
  EXPECT_EQ(run(compare(data, {"--model", "seeded:resnet18@1"})).exit_code, 0);
  const std::string log = read_file(out_ / "run.log");
  const Outcome outcome = run(compare(data, {"--model", "seeded:resnet18@2"}));
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("models/0/weights_sha256"), std::string::npos) << outcome.err;
  EXPECT_EQ(read_file(out_ / "run.log"), log);
}

// What a shell makes of `tessera ARGUMENTS AFTER`: its own exit code, of tessera's where nothing comes after a pipe.
int shell(const std::vector<std::string>& arguments, const std::string& after) {
  std::string command = "set -o pipefail; '" TESSERA_BINARY "'";
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  const std::vector<std::string> line{"bash", "-c", command + " " + after};
  std::vector<char*> argv;
  for (const std::string& part : line) argv.push_back(const_cast<char*>(part.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Whatever has become of the two streams, the run is run and its results are whole.
TEST_F(CliFaults, KeepsTheResultsWhenNobodyReadsItsOutput) {
  const fs::path data = data_set();
  for (const auto& [after, exit_code] : {std::pair{"2>&1 | true", 141},
                                         {">/dev/null 2>/dev/full", 0},
                                         {">/dev/full 2>/dev/full", 5},
                                         {">/dev/null 2>&-", 0},
                                         {">&- 2>/dev/null", 5}}) {
    fs::remove_all(out_);
    EXPECT_EQ(shell(compare(data, {"--model", kVit}), after), exit_code) << after;
    EXPECT_EQ(without_times(out_ / "predictions.csv").size(), 3U) << after;
    EXPECT_TRUE(fs::exists(out_ / "report.html")) << after;
  }
}

// An error of a stream is none of the command, and a command that gives nothing but text fails with its text.
TEST_F(CliFaults, SaysByItsExitCodeWhetherItsTextWasTaken) {
  EXPECT_EQ(shell({"models"}, ">/dev/null"), 0);
  EXPECT_EQ(shell({"models"}, ">/dev/full 2>/dev/null"), 5);
  EXPECT_EQ(shell({"models"}, ">&- 2>/dev/null"), 5);
  EXPECT_EQ(shell({"--version"}, ">/dev/full 2>/dev/null"), 5);
  EXPECT_EQ(shell({"models", "--wrong"}, "2>/dev/full"), 2);
  EXPECT_EQ(shell({"analyze", (folder_ / "none.csv").string()}, "2>&-"), 3);
  EXPECT_EQ(shell({"classify", "-", "--model", kVit}, "<&- 2>/dev/null"), 3);
}

TEST_F(CliFaults, ShowsControlCharactersOfNames) {
  const std::string name = "\x1b]0;title\a\xc2\x9b.csv";
  const Outcome outcome = run({"analyze", (folder_ / name).string()});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("\\x1b]0;title\\x07\\x9b.csv"), std::string::npos) << outcome.err;
}

// In a folder of each kind of output: what is no regular file is written through, and what cannot be written is said
// before the work.
TEST_F(CliFaults, WritesThroughDevicesAndRefusesFolders) {
  const std::string fifo = (folder_ / "fifo").string(), place = folder_.string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& [command, file] :
       {std::pair{"inspect resnet18 --dot", "graph"}, {"seed-weights resnet18@1 -o", "h5"}}) {
    const std::string line = "cat '" + fifo + "' > '" + place + "/" + file + "' & '" TESSERA_BINARY "' " + command +
                             " '" + fifo + "' > /dev/null && wait $!";
    EXPECT_EQ(std::system(line.c_str()), 0) << line;
    EXPECT_TRUE(fs::is_fifo(fifo));
  }
  EXPECT_EQ(read_file(folder_ / "graph").substr(0, 7), "digraph");
  EXPECT_EQ(read_file(folder_ / "h5").substr(1, 3), "HDF");
  const Outcome both = run({"inspect", "resnet18", "--depth", "1", "--dot", "/dev/stdout"});
  EXPECT_EQ(both.out.substr(0, 7), "digraph");
  EXPECT_NE(both.out.find("Weights"), std::string::npos) << both.out.substr(both.out.size() - 200);
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"inspect", "resnet18", "--html", place},
                                                                     {"profile", kVit, "--csv", place},
                                                                     {"bench", kVit, "--csv", place},
                                                                     {"seed-weights", "resnet18@1", "-o", place}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments.front() << outcome.err;
    EXPECT_NE(outcome.err.find("is a folder"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliFaults, PathsThatCannotBeLookedAtAreNoInternalErrors) {
  const std::string name(300, 'x'), loop = (folder_ / "loop").string();
  fs::create_symlink("loop", loop);
  for (const std::string& path : {name, loop}) {
    EXPECT_EQ(run({"analyze", path}).exit_code, 3);
    EXPECT_EQ(run({"merge", path, "--out", out_.string()}).exit_code, 3);
    EXPECT_EQ(run({"inspect", path}).exit_code, 4);
    const Outcome outcome = run({"compare", "--data", data_set().string(), "--model", kVit, "--out", path});
    EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  }
}

// A command that was refused leaves nothing that the corrected one would meet.
TEST_F(CliFaults, TheCorrectedCommandRuns) {
  const fs::path data = data_set();
  expect_refused(compare(data, {"--model", kVit, "--batch", "2", "--mode", "latency"}), 2, "--mode throughput");
  expect_refused(compare(data, {"--model", "seeded:none"}), 2, "none");
  expect_refused(compare(data, {"--model", kVit, "--shard", "1000/1000"}), 2, "3 pictures");
  expect_refused(compare(data, {"--model", kVit, "--seed", "18446744073709551616"}), 2, "64 bits");
  EXPECT_EQ(run(compare(data, {"--model", kVit})).exit_code, 0);
}

// All commands take as many threads when none are asked for, `bench` too.
TEST_F(CliFaults, BenchTakesThePhysicalCores) {
  const Json dump = run_json({"dump", kResNet, "--image", (kPictures / "jpeg_444.jpg").string(), "--image-size", "32",
                              "--taps", "fc", "-o", (folder_ / "dump.h5").string()});
  const Json bench = run_json({"bench", kResNet, "--image-size", "32", "--batch", "1", "--runs", "1"});
  EXPECT_EQ(bench.at("results")[0].at("threads"), dump.at("settings").at("threads"));
}

TEST_F(CliFaults, AWarmUpOfADayEndsWhenItIsTold) {
  const pid_t child = start(compare(data_set(), {"--model", kVit, "--warmup", "2147483647"}));
  wait_for_rows(out_, 0, child);
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait(child).exit_code, 143);
}

TEST_F(CliFaults, ThreadsThatCannotBeStartedAreNoHang) {
  constexpr rlim_t kTooLittle = rlim_t{3} << 30;
  const fs::path data = data_set();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"classify", (kPictures / "jpeg_444.jpg").string(), "--model", kVit, "--threads",
                                 "1024"},
        compare(data, {"--model", kVit, "--mode", "throughput", "--workers", "1024"})}) {
    std::vector<std::string> command{"timeout", "60", TESSERA_BINARY};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Outcome outcome = wait(start_command(command, RLIMIT_AS, kTooLittle));
    EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
    EXPECT_NE(outcome.err.find("of 1024 threads"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliFaults, SaysHowMuchMemoryItCouldNotGet) {
  constexpr rlim_t kTooLittle = 300 << 20;
  const Outcome outcome =
      wait(start(compare(data_set(), {"--model", "seeded:vit_base_patch16_224"}), RLIMIT_AS, kTooLittle));
  EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  EXPECT_NE(outcome.err.find(" bytes could not be allocated"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(out_ / "predictions.csv"));
}

}  // namespace
}  // namespace tessera::cli_test
