// The page of `tessera profile --html` in Chromium: what it shows is what the JSON says.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "evaluation/inspect/profile_formats.h"
#include "tests/pages/browser.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using browser_test::Browser;
using Json = nlohmann::json;

ProfileLine layer(const std::string& path, const std::string& stage, const std::string& block, const std::string& type,
                  std::int64_t macs, double us) {
  return {.name = path,
          .layer = type,
          .kernel = "kernel_" + type,
          .output = "[1, 8, 8, 4]",
          .computes = {path},
          .stage = stage,
          .block = block,
          .macs = macs,
          .bytes = 40000,
          .us = {us, us, us},
          .share = us / 1000,
          .gflops = static_cast<double>(macs) / us / 500,
          .gbs = 40 / us,
          .intensity = static_cast<double>(macs) / 20000,
          .roof_us = us / 2,
          .of_roof = 0.5,
          .memory_bound = macs == 0,
          .times_us = {us},
          .node_medians_us = us};
}

ModelProfile made(const std::string& model, double factor) {
  ModelProfile profile{.model = model,
                       .device = "cpu",
                       .dtype = "f32",
                       .threads = 2,
                       .batch = 1,
                       .runs = 7,
                       .roof = {.isa = "avx2", .threads = 2, .gflops = 200, .read_gbs = 20}};
  profile.nodes = {layer("conv1", "conv1", "conv1", "Conv2d", 4'000'000, 400 * factor),
                   layer("layer1.0.conv1", "layer1", "layer1.0", "Conv2d", 9'000'000, 300 * factor),
                   layer("layer1.0.add", "layer1", "layer1.0", "Add", 0, 50 * factor),
                   layer("layer1.1.conv1", "layer1", "layer1.1", "Conv2d", 9'000'000, 249 * factor),
                   layer("fc", "fc", "fc", "Linear", 1'000, 1 * factor)};
  profile.sum_of_medians_us = 1000 * factor;
  profile.run_us = {1010 * factor, 1020.4 * factor, 1500 * factor};
  profile.unwatched_us = {1008 * factor, 1018 * factor, 1400 * factor};
  profile.gap_us = 10 * factor;
  profile.watching = 0.0024;
  return profile;
}

class ProfilePage : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-profile-page-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void open(const std::vector<ModelProfile>& profiles, const browser_test::Screen& screen = {}) {
    std::ofstream(folder_ / "page.html") << profile_page(profiles);
    browser_.open(folder_ / "page.html", screen);
    EXPECT_EQ(browser_.errors(), std::vector<std::string>{});
    EXPECT_EQ(browser_.requests(), std::vector<std::string>{});
    EXPECT_EQ(browser_.evaluate("document.documentElement.dataset.errors"), "0");
  }
  Json column(const std::string& section, int index) {
    return browser_.evaluate("[...document.querySelectorAll('#" + section + " tbody tr')].map(row => row.children[" +
                             std::to_string(index) + "].textContent)");
  }
  void choose(const std::string& section, const std::string& value) {
    browser_.evaluate("{ const list = document.querySelector('#" + section + " select'); list.value = '" + value +
                      "'; list.dispatchEvent(new Event('change')); }");
  }

  fs::path folder_;
  Browser browser_;
};

TEST_F(ProfilePage, ShowsTheNumbersOfTheJson) {
  open({made("resnet", 1)});
  EXPECT_EQ(browser_.evaluate("document.title"), "Profile of resnet");
  EXPECT_EQ(column("runs", 0), Json({"resnet, f32, 2 threads, batch 1"}));
  EXPECT_EQ(column("runs", 1), Json({"1.02"}));
  EXPECT_EQ(column("runs", 6), Json({"0.98 %"}));  // 10 of 1020.4
  EXPECT_EQ(column("runs", 7), Json({"0.24 %"}));
  EXPECT_EQ(column("lines", 0), Json({"conv1", "layer1.0.conv1", "layer1.0.add", "layer1.1.conv1", "fc"}));
  EXPECT_EQ(column("lines", 2),
            Json({"kernel_Conv2d", "kernel_Conv2d", "kernel_Add", "kernel_Conv2d", "kernel_Linear"}));
  EXPECT_EQ(column("lines", 5), Json({"400.0", "300.0", "50.0", "249.0", "1.0"}));
  EXPECT_EQ(column("lines", 8), Json({"20.0", "60.0", "–", "72.3", "2.0"}));
  choose("lines", "stages");
  EXPECT_EQ(column("lines", 0), Json({"conv1", "layer1", "fc"}));
  EXPECT_EQ(column("lines", 3), Json({"400.0", "599.0", "1.0"}));
}

TEST_F(ProfilePage, BarsAreAsWideAsTheirTimeAndSaidInWords) {
  open({made("resnet", 1)});
  const std::string marks = "[...document.querySelectorAll('#time .mark.cell')]";
  // Stages, blocks, layers.
  EXPECT_EQ(browser_.evaluate(marks + ".map(mark => mark.getAttribute('aria-label').split(':')[0])"),
            Json({"conv1", "layer1", "fc", "conv1", "layer1.0", "layer1.1", "fc", "conv1", "layer1.0.conv1",
                  "layer1.0.add", "layer1.1.conv1", "fc"}));
  EXPECT_EQ(browser_.evaluate(marks + "[1].getAttribute('aria-label')"), "layer1: 0.599 ms, 59.9 %, 3 layers");
  const Json widths =
      browser_.evaluate(marks + ".map(mark => mark.querySelector('rect').getBoundingClientRect().width)");
  EXPECT_NEAR(widths[1].get<double>() / widths[0].get<double>(), 599.0 / 400, 0.02);
  EXPECT_NEAR(widths[1].get<double>(), widths[4].get<double>() + widths[5].get<double>(), 0.5);
  choose("time", "layer1");
  EXPECT_EQ(browser_.evaluate(marks + ".length"), 6);
  const double wider = browser_.evaluate(marks + "[0].querySelector('rect').getBoundingClientRect().width");
  EXPECT_GT(wider, 1.5 * widths[1].get<double>());
}

TEST_F(ProfilePage, IsUsedByKeyboard) {
  open({made("resnet", 1)});
  browser_.evaluate("document.querySelector('#time .mark[tabindex=\"0\"]').focus()");
  browser_.press("ArrowRight");
  EXPECT_EQ(browser_.text("#time .tip:not([hidden])"), "layer1: 0.599 ms, 59.9 %, 3 layers");
  browser_.evaluate("document.querySelector('#roofline .mark[tabindex=\"0\"]').focus()");
  EXPECT_NE(browser_.text("#roofline .tip:not([hidden])").find("200.0 GFLOP/s, 20.0 GB/s; they meet at 10.0"),
            std::string::npos);
  browser_.press("ArrowRight");
  EXPECT_NE(browser_.text("#roofline .tip:not([hidden])").find("conv1: 20.0 GFLOP/s at 200.0 FLOP"), std::string::npos);
  // A point for each layer with multiply-adds, and each plot says where its numbers stand.
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('#roofline .point').length"), 4);
  EXPECT_EQ(
      browser_.evaluate("[...document.querySelectorAll('figure')].every(f => f.querySelector('svg[aria-label]') && "
                        "f.querySelector('details table, p.note'))"),
      true);
}

TEST_F(ProfilePage, HoldsSeveralProfilesBesideEachOtherOnAPhone) {
  const std::string hostile = "</script><script>document.title='broken'</script>";
  open({made("resnet", 1), made(hostile, 2)}, {.width = 390, .height = 800, .dark = true});
  EXPECT_EQ(browser_.evaluate("document.title"), Json("Profile of resnet and " + hostile));
  EXPECT_EQ(column("comparison", 0), Json({"conv1", "layer1", "fc"}));
  EXPECT_EQ(column("comparison", 3), Json({"2.000", "2.000", "2.000"}));
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('#time figure').length"), 2);
  EXPECT_LE(browser_.evaluate("document.documentElement.scrollWidth").get<int>(), 390);
}

}  // namespace
}  // namespace tessera
