#include <stdlib.h>

#include <array>
#include <functional>
#include <set>
#include <sstream>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

TEST_F(Cli, InspectsADepthAPassAndTwoModels) {
  const Outcome stages = run({"inspect", "resnet50", "--depth", "1"});
  EXPECT_EQ(stages.exit_code, 0) << stages.err;
  EXPECT_EQ(stages.out.find("layer1.0"), std::string::npos) << stages.out;
  EXPECT_NE(stages.out.find("25.557 M"), std::string::npos) << stages.out;
  const Outcome fused = run({"inspect", "resnet50", "--graph", "fused"});
  EXPECT_NE(fused.out.find("fold_batch_norm"), std::string::npos) << fused.out;
  EXPECT_NE(fused.out.find("conv1 + bn1 + act1"), std::string::npos) << fused.out;
  EXPECT_EQ(run_json({"inspect", "resnet50", "--graph", "fuse_residual"}).at("passes").size(), 4U);
  const Json both = run_json({"inspect", "resnet50", kVit});
  ASSERT_EQ(both.at("models").size(), 2U);
  EXPECT_EQ(both.at("models")[1].at("totals").at("parameters"), 5717416);
  EXPECT_EQ(run({"inspect", "resnet50", kVit}).exit_code, 0);
  // The sums over the shown modules of one depth are the totals.
  const Json document = run_json({"inspect", "efficientnet_lite0", "--depth", "1"});
  std::int64_t macs = 0;
  for (const Json& module : document.at("modules")) macs += module.at("macs").get<std::int64_t>();
  EXPECT_EQ(macs, document.at("totals").at("macs"));
}

TEST_F(Cli, InspectPrefersAnInstalledModelToAnArchitectureOfItsName) {
  EXPECT_EQ(run_json({"inspect", "vit_tiny_patch16_224"}).at("model"), "vit_tiny_patch16_224");
  const fs::path installed = folder_ / "home" / "models" / "vit_tiny_patch16_224.h5";
  fs::create_directories(installed.parent_path());
  run_json({"seed-weights", "vit_tiny_patch16_224@1", "-o", installed.string()});
  EXPECT_EQ(run_json({"inspect", "vit_tiny_patch16_224"}).at("model"), "seeded:vit_tiny_patch16_224@1");
}

TEST_F(Cli, InspectWritesADrawingAndAPage) {
  const std::string dot = (folder_ / "graph.dot").string(), html = (folder_ / "page.html").string();
  EXPECT_EQ(run({"inspect", kResNet, "--dot", dot}).exit_code, 0);
  EXPECT_TRUE(read_file(dot).starts_with("digraph"));
  const Outcome page = run({"inspect", kResNet, "vit_tiny_patch16_224", "--html", html});
  EXPECT_EQ(page.exit_code, 0) << page.err;
  const std::string text = read_file(html);
  EXPECT_TRUE(text.starts_with("<!doctype html>"));
  EXPECT_NE(text.find("seeded:resnet18@1"), std::string::npos);
  EXPECT_EQ(text.find("src=\"http"), std::string::npos);
  const std::string stages = (folder_ / "stages.svg").string(), maps = (folder_ / "maps.png").string();
  const Outcome drawn =
      run({"inspect", kVit, "--plot", stages, "--image", (kPictures / "png_rgb.png").string(), "--maps", maps});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_TRUE(read_file(stages).starts_with("<?xml"));
  EXPECT_TRUE(read_file(maps).starts_with("\x89PNG"));
}

TEST_F(Cli, InspectRefusesWhatItCannotShow) {
  const Outcome state = run({"inspect", "resnet50", "--graph", "cooked"});
  EXPECT_EQ(state.exit_code, 2);
  EXPECT_NE(state.err.find("fold_batch_norm"), std::string::npos) << state.err;
  EXPECT_EQ(run({"inspect", "resnet50", "--depth", "0"}).exit_code, 2);
  EXPECT_EQ(run({"inspect", "resnet50", "--batch", "0"}).exit_code, 2);
  EXPECT_EQ(run({"inspect", "resnet50", kVit, "--dot", (folder_ / "two.dot").string()}).exit_code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "two.dot"));
  EXPECT_EQ(run({"inspect", "resnet50", "--html", (folder_ / "no" / "page.html").string()}).exit_code, 5);
  EXPECT_EQ(run({"inspect", "resnet51"}).exit_code, 4);
  const std::string picture = (kPictures / "png_rgb.png").string(), maps = (folder_ / "maps.svg").string();
  EXPECT_EQ(run({"inspect", kVit, "--maps", maps}).exit_code, 2);
  EXPECT_EQ(run({"inspect", kVit, "--maps", (folder_ / "maps.pdf").string(), "--image", picture}).exit_code, 2);
  const Outcome bare = run({"inspect", "resnet50", "--maps", maps, "--image", picture});
  EXPECT_EQ(bare.exit_code, 2);
  EXPECT_NE(bare.err.find("seeded:resnet50@7"), std::string::npos) << bare.err;
  EXPECT_FALSE(fs::exists(maps));
}

TEST_F(Cli, BenchMeasuresEachCombination) {
  const std::string csv = (folder_ / "bench.csv").string(), svg = (folder_ / "bench.svg").string();
  const Json bench = run_json({"bench", kResNet, kVit, "--image-size", "32", "--batch", "1,3", "--threads", "1,2",
                               "--dtype", "f32,bf16", "--runs", "5", "--csv", csv, "--plot", svg});
  ASSERT_EQ(bench.size(), 1U);
  ASSERT_EQ(bench.at("results").size(), 16U);
  const std::set<std::string> keys{"model",  "device", "dtype",  "batch",  "threads",
                                   "min_ms", "p50_ms", "p90_ms", "p99_ms", "images_per_s"};
  for (const Json& row : bench.at("results")) {
    std::set<std::string> found;
    for (const auto& [key, value] : row.items()) found.insert(key);
    EXPECT_EQ(found, keys);
    EXPECT_LE(row.at("min_ms"), row.at("p50_ms"));
    EXPECT_LE(row.at("p90_ms"), row.at("p99_ms"));
  }
  std::istringstream rows(read_file(csv));
  int lines = 0;
  for (std::string line; std::getline(rows, line);) ++lines;
  EXPECT_EQ(lines, 17);
  EXPECT_TRUE(read_file(svg).starts_with("<?xml"));
  const Outcome text =
      run({"bench", kResNet, "--image-size", "32", "--batch", "2", "--threads", "1", "--seconds", "0.05"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("Images/s"), std::string::npos) << text.out;
}

// A terminal; what is written to it is read until `enough` says so, or nobody writes any more.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(::grantpt(master_), 0);
    EXPECT_EQ(::unlockpt(master_), 0);
  }
  ~Terminal() { ::close(master_); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::string name() const { return ::ptsname(master_); }
  const std::string& read_until(const std::function<bool(const std::string&)>& enough) {
    std::array<char, 256> part{};
    while (!enough(text_)) {
      const ssize_t got = ::read(master_, part.data(), part.size());
      if (got <= 0) break;
      text_.append(part.data(), static_cast<std::size_t>(got));
    }
    return text_;
  }

 private:
  int master_;
  std::string text_;
};

TEST_F(Cli, BenchKeepsWhatItHasWhenInterrupted) {
  // On a terminal it says how far it is before each run that is counted. Where it has said so twice, one is counted,
  // and no visit ends within the day that is asked for.
  Terminal terminal;
  const pid_t child =
      start_command({"sh", "-c", "exec \"$@\" 2> " + terminal.name(), "sh", TESSERA_BINARY, "bench", kResNet,
                     "--image-size", "64", "--batch", "1,2", "--threads", "1", "--seconds", "86400", "--json"});
  const std::string said = "measuring: 0 of 10 visits";
  terminal.read_until([&](const std::string& text) {
    const std::size_t first = text.find(said);
    return first != std::string::npos && text.find(said, first + 1) != std::string::npos;
  });
  ::kill(child, SIGINT);
  const std::string text = terminal.read_until([](const std::string&) { return false; });
  const Outcome outcome = wait(child);
  EXPECT_EQ(outcome.exit_code, 130) << text;
  EXPECT_EQ(Json::parse(outcome.out).at("results").size(), 1U);
  EXPECT_NE(text.find("stopped; what was measured is kept"), std::string::npos) << text;
}

TEST_F(Cli, BenchRefusesWhatItCannotMeasure) {
  EXPECT_EQ(run({"bench", kResNet, "--batch", "0"}).exit_code, 2);
  EXPECT_EQ(run({"bench", kResNet, "--threads", "1,none"}).exit_code, 2);
  EXPECT_EQ(run({"bench", kResNet, "--dtype", "fp4"}).exit_code, 2);
  EXPECT_EQ(run({"bench", kResNet, "--runs", "3", "--seconds", "1"}).exit_code, 2);
  const Outcome plot = run({"bench", kResNet, "--plot", "curve.pdf"});
  EXPECT_EQ(plot.exit_code, 2);
  EXPECT_NE(plot.err.find(".svg"), std::string::npos) << plot.err;
  EXPECT_EQ(run({"bench", kResNet, "--dtype", "int8", "--runs", "1"}).exit_code, 2);
}

}  // namespace
}  // namespace tessera::cli_test
