// Bad input and a hostile system, met by a comparison.
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
  std::ofstream(data / "list.csv") << "n01440764/0_jpeg_444.jpg,1000\n";
  expect_refused(compare(data / "list.csv", {"--model", kVit}), 3, "1000");
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

// A reader that has gone must neither hang the run nor cost its results.
TEST_F(CliFaults, KeepsTheResultsWhenNobodyReadsItsOutput) {
  const fs::path data = data_set();
  std::string command = "'" TESSERA_BINARY "'";
  for (const std::string& argument : compare(data, {"--model", kVit})) command += " '" + argument + "'";
  const auto begin = std::chrono::steady_clock::now();
  // Its stdout is a pipe that is closed at once; stderr likewise.
  EXPECT_EQ(std::system((command + " 2>&1 | true").c_str()), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(120));
  const Outcome again = run(compare(data, {"--model", kVit}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(without_times(out_ / "predictions.csv").size(), 3U);
}

TEST_F(CliFaults, SaysHowMuchMemoryItCouldNotGet) {
  constexpr rlim_t kTooLittle = 300 << 20;
  const Outcome outcome =
      wait(start(compare(data_set(), {"--model", "seeded:vit_base_patch16_224"}), RLIMIT_AS, kTooLittle));
  EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  EXPECT_NE(outcome.err.find(" bytes could not be allocated"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(out_ / "predictions.csv"));
}

// MLPerf's TEST04: what was seen before is not answered from memory. One picture again and again among distinct ones is
// at most a tenth faster than they are; the fastest of many, since what else the machine does only slows. Were answers
// kept, every attempt would be far beyond that, so that one within it is enough on a machine that does other things.
TEST_F(CliFaults, DoesNotRememberPictures) {
  const std::vector<std::string> distinct{"jpeg_420.jpg",     "jpeg_422.jpg", "jpeg_grey.jpg", "jpeg_progressive.jpg",
                                          "jpeg_restart.jpg", "png_rgb.png",  "jpeg_cmyk.jpg", "png_grey.png"};
  std::string list;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& name : distinct) {
      list += (kPictures / "jpeg_444.jpg").string() + ",0\n" + (kPictures / name).string() + ",1\n";
    }
  }
  std::ofstream(folder_ / "list.csv") << list;
  const auto times_of_one_run = [&] {
    const Outcome outcome = run(compare(folder_ / "list.csv", {"--model", kResNet, "--no-resume"}));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    double repeated = 1e9, others = 1e9;
    std::istringstream csv(read_file(out_ / "run.log"));
    for (std::string line; std::getline(csv, line);) {
      constexpr std::size_t kChecksum = 9;
      const Json row = Json::parse(line.substr(kChecksum));
      if (!row.contains("number")) continue;
      double& best = row.at("image") == "jpeg_444.jpg" ? repeated : others;
      best = std::min(best, row.at("models")[0].at("ms")[1].get<double>());
    }
    EXPECT_LT(others, 1e9);
    return std::pair(repeated, others);
  };
  constexpr int kAttempts = 8;
  double share = 0;  // of the others' time
  for (int attempt = 0; attempt < kAttempts && share <= 0.9; ++attempt) {
    const auto [repeated, others] = times_of_one_run();
    share = std::max(share, repeated / others);
  }
  EXPECT_GT(share, 0.9);
}

}  // namespace
}  // namespace tessera::cli_test
