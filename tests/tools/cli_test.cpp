// What every command shares: help, words, exit codes, pictures.
#include <array>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

TEST_F(Cli, HelpsWithExamples) {
  for (const char* command : {"classify", "compare", "merge", "analyze", "synth", "inspect", "bench", "convert",
                              "verify", "dump", "diff", "profile", "roofline", "seed-weights", "models"}) {
    const Outcome outcome = run({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0) << command;
    EXPECT_NE(outcome.out.find("Example"), std::string::npos) << command;
  }
  EXPECT_EQ(run({"--help"}).exit_code, 0);
  EXPECT_NE(run({"--version"}).out.find('.'), std::string::npos);
}

TEST_F(Cli, SuggestsTheNearestOptionAndCommand) {
  const Outcome option = run({"compare", "--data", "x", "--model", "y", "--out", "z", "--bacth", "3"});
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_NE(option.err.find("did you mean '--batch'"), std::string::npos) << option.err;
  const Outcome command = run({"clasify", "x"});
  EXPECT_EQ(command.exit_code, 2);
  EXPECT_NE(command.err.find("did you mean 'classify'"), std::string::npos) << command.err;
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run({"classify", "--model", kResNet}).exit_code, 2);
}

TEST_F(Cli, EndsWithTheExitCodeOfTheFault) {
  const std::string picture = (kPictures / "jpeg_444.jpg").string();
  EXPECT_EQ(run({"classify", picture, "--model", "seeded:resnet51"}).exit_code, 2);
  EXPECT_EQ(run({"classify", picture, "--model", kResNet, "--device", "tpu"}).exit_code, 2);
  EXPECT_EQ(run({"classify", picture, "--model", kResNet, "--preprocess", "keras"}).exit_code, 2);
  EXPECT_EQ(run({"classify", picture, "--model", kResNet, "--dtype", "int4"}).exit_code, 2);
  EXPECT_EQ(run({"classify", picture, "--model", kResNet, "--top", "0"}).exit_code, 2);
  EXPECT_EQ(run({"classify", picture, "--model", "seeded:vit_small_patch14_dinov2", "--image-size", "28"}).exit_code,
            2);
  EXPECT_EQ(run({"classify", "missing.jpg", "--model", kResNet}).exit_code, 3);
  EXPECT_EQ(run({"compare", "--data", "missing", "--model", kResNet, "--out", (folder_ / "run").string()}).exit_code,
            3);
  EXPECT_EQ(run({"classify", picture, "--model", "missing.h5"}).exit_code, 4);
  EXPECT_EQ(run({"classify", picture, "--model", picture}).exit_code, 4);
  EXPECT_EQ(run({"convert", picture}).exit_code, 4);
  EXPECT_EQ(run({"seed-weights", "resnet18@1", "-o", "/nonexistent/folder/x.h5"}).exit_code, 5);
  EXPECT_EQ(run({"classify", picture, "--model", kResNet, "--device", "cuda"}).exit_code, 7);
}

TEST_F(Cli, MakesTheSyntheticSet) {
  const fs::path out = folder_ / "shapes";
  const Json made = run_json({"synth", "shapes", "--count", "40", "--seed", "3", "--out", out.string()});
  EXPECT_EQ(made.at("count"), 40);
  EXPECT_EQ(Json::parse(read_file(out / "labels.json")).size(), 16U);
  EXPECT_TRUE(fs::exists(out / "ring" / "000017.jpg"));
  const Outcome again = run({"synth", "shapes", "--count", "40", "--out", out.string()});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("is there already"), std::string::npos) << again.err;
  EXPECT_EQ(run({"synth", "shapes", "--count", "0", "--out", (folder_ / "none").string()}).exit_code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "none"));
  // Labels by file, for models of other classes.
  const Outcome compared = run({"compare", "--data", out.string(), "--labels", (out / "labels.json").string(),
                                "--model", kVit, "--out", (folder_ / "run").string(), "--limit", "4"});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
}

TEST_F(Cli, ClassifiesInTextAndJson) {
  const std::string picture = (kPictures / "jpeg_444.jpg").string();
  const Outcome text = run({"classify", picture, "--model", kResNet, "--model", kVit, "--top", "3"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find(kResNet), std::string::npos);
  EXPECT_NE(text.out.find("inference:"), std::string::npos);
  const Json json = run_json({"classify", picture, "--model", kResNet, "--model", kVit, "--logits"});
  ASSERT_EQ(json.at("results").size(), 2U);
  const Json& result = json.at("results")[0];
  EXPECT_EQ(result.at("model"), kResNet);
  EXPECT_EQ(result.at("image"), picture);
  ASSERT_EQ(result.at("top").size(), 5U);
  ASSERT_EQ(result.at("logits").size(), 1000U);
  for (const char* key : {"decode", "preprocess", "inference", "postprocess"}) {
    EXPECT_GE(result.at("timing_ms").at(key).get<double>(), 0) << key;
  }
  // Softmax of the logits gives the probabilities, and the largest logit the first class.
  double sum = 0, largest = -1e9;
  std::size_t best = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const double logit = result.at("logits")[i];
    if (logit > largest) {
      largest = logit;
      best = i;
    }
  }
  for (const Json& logit : result.at("logits")) sum += std::exp(logit.get<double>() - largest);
  EXPECT_EQ(result.at("top")[0].at("index"), best);
  EXPECT_NEAR(result.at("top")[0].at("prob").get<double>(), 1 / sum, 1e-9);
  EXPECT_EQ(result.at("top")[0].at("wnid").get<std::string>().size(), 9U);
}

TEST_F(Cli, ClassifiesTheGoodPicturesAmongBadOnes) {
  std::ofstream(folder_ / "bad.jpg") << "<html>";
  std::ofstream(folder_ / "empty.jpg").close();
  const std::string good = (kPictures / "png_rgb.png").string();
  const Outcome outcome =
      run({"classify", (folder_ / "bad.jpg").string(), good, (folder_ / "empty.jpg").string(), "--model", kVit});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("bad.jpg: no picture that is read"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("empty.jpg: is empty"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("png_rgb.png"), std::string::npos);
}

TEST_F(Cli, EndsWhenItsReaderDoes) {
  // More text than a pipe holds; the exit code is that of tessera, which says nothing.
  const fs::path err = folder_ / "err";
  const std::string command = "bash -c '\"" + std::string(TESSERA_BINARY) +
                              "\" inspect vit_large_patch16_224 vit_large_patch16_224 --json 2>" + err.string() +
                              " | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}'";
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 141);
  EXPECT_EQ(read_file(err), "");
}

// A wrong word is a fault of the command, and the nearest right one is named.
TEST_F(Cli, NamesTheNearestWordForAWrongOne) {
  const std::string picture = (kPictures / "png_rgb.png").string();
  for (const auto& [option, word, nearest] : {std::array{"--isa", "avx3", "did you mean 'avx2'"},
                                              {"--device", "cpuu", "did you mean 'cpu'"},
                                              {"--dtype", "f33", "did you mean 'f32'"},
                                              {"--preprocess", "tim", "did you mean 'timm'"},
                                              {"--decoder", "atuo", "did you mean 'auto'"}}) {
    const Outcome outcome = run({"classify", picture, "--model", kVit, option, word});
    EXPECT_EQ(outcome.exit_code, 2) << option << ": " << outcome.err;
    EXPECT_NE(outcome.err.find(nearest), std::string::npos) << outcome.err;
  }
  const Outcome mode = run({"compare", "--data", data_set().string(), "--model", kVit, "--out",
                            (folder_ / "run").string(), "--mode", "throughputt"});
  EXPECT_EQ(mode.exit_code, 2);
  EXPECT_NE(mode.err.find("did you mean 'throughput'"), std::string::npos) << mode.err;
  const Outcome model = run({"inspect", "resnet5"});
  EXPECT_EQ(model.exit_code, 4);
  EXPECT_NE(model.err.find("did you mean 'resnet50'"), std::string::npos) << model.err;
  EXPECT_EQ(run({"inspect", "resnet50", "--depth", "1"}).exit_code, 0);  // the hint, typed
}

}  // namespace
}  // namespace tessera::cli_test
