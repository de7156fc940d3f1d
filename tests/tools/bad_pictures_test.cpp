// One bad picture among good ones: it is named and counted, and ends no command.
#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

class BadPictures : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    data_ = data_set(2);
    std::ofstream(data_ / "n01440764" / "bad.jpg") << "no picture";
    std::ofstream(data_ / "n01440764" / "boxes.txt") << "1 2 3 4";
    std::ofstream(data_ / ".DS_Store") << "system";
  }
  fs::path data_;
};

TEST_F(BadPictures, AreLeftOutOfACalibration) {
  const std::string out = (folder_ / "int8.h5").string();
  const std::vector<std::string> command{"quantize", "shapes-resnet", "--calibrate", data_.string(), "-o", out};
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find((data_ / "n01440764" / "bad.jpg").string() + ": "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("1 file(s) left out, which are no pictures: n01440764/boxes.txt"), std::string::npos);
  EXPECT_NE(outcome.err.find("1 hidden or system file(s) or folder(s) left out: .DS_Store"), std::string::npos);
  EXPECT_NE(outcome.out.find("from 6 pictures, without 1 that could not be read"), std::string::npos) << outcome.out;
  EXPECT_TRUE(fs::exists(out));
  std::vector<std::string> allowed = command;
  allowed.insert(allowed.end(), {"--max-errors", "1"});
  const Json with_bad = run_json(allowed);
  EXPECT_EQ(with_bad.at("pictures"), 6);
  EXPECT_EQ(with_bad.at("failed").size(), 1U);
  // What was measured, and on which pictures, is as if the bad one had never been there.
  fs::remove(data_ / "n01440764" / "bad.jpg");
  const Json without = run_json(command);
  EXPECT_EQ(with_bad.at("ranges"), without.at("ranges"));
  EXPECT_EQ(with_bad.at("pictures_sha256"), without.at("pictures_sha256"));
  fs::resize_file(data_ / "n01443537" / "0_png_rgb.png", 20);
  EXPECT_NE(run(allowed).exit_code, 3);
}

TEST_F(BadPictures, AloneLeaveNothingToCalibrateOn) {
  fs::create_directories(folder_ / "bad");
  std::ofstream(folder_ / "bad" / "a.jpg") << "no picture";
  const fs::path out = folder_ / "int8.h5";
  const Outcome outcome = run({"quantize", "shapes-resnet", "--calibrate", (folder_ / "bad").string(), "--max-errors",
                               "9", "-o", out.string()});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("none of the 1 pictures could be read"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(BadPictures, DoNotEndTheClassifyingOfOthers) {
  fs::create_directories(folder_ / "empty");
  const std::vector<std::string> command{"classify",
                                         (folder_ / "nothing.jpg").string(),
                                         data_.string(),
                                         (folder_ / "empty").string(),
                                         (kPictures / "jpeg_444.jpg").string(),
                                         "--model",
                                         "shapes-resnet",
                                         "--json"};
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit_code, 3);
  std::size_t classified = 0, failed = 0;
  const Json results = Json::parse(outcome.out).at("results");
  for (const Json& result : results) ++(result.contains("top") ? classified : failed);
  EXPECT_EQ(classified, 7U);
  EXPECT_EQ(failed, 3U);
  std::vector<std::string> allowed = command;
  allowed.insert(allowed.end(), {"--max-errors", "3"});
  EXPECT_EQ(run(allowed).exit_code, 0);
}

}  // namespace
}  // namespace tessera::cli_test
