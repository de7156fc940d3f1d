#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "evaluation/inspect/inspection_page.h"
#include "tests/pages/browser.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using browser_test::Browser;
using browser_test::Screen;
using Json = nlohmann::json;

class InspectPage : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-inspect-page-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Bare architectures, or with seeded weights.
  void open(const std::vector<std::string>& architectures, bool weights, const Screen& screen = {}) {
    std::vector<InspectedModel> models;
    documents_.clear();
    for (const std::string& name : architectures) {
      const ModelConfig config = make_config(name);
      LoadedModel loaded{.card = seeded_card(config, 7), .weights = {}};
      if (weights) loaded = seeded_model(config, 7);
      documents_.push_back(to_json(inspect_model(loaded.card, "raw", 1), 100));
      models.push_back({.card = loaded.card, .weights = {}});
      if (weights) models.back().weights = std::move(loaded.weights);
    }
    const fs::path path = folder_ / "page.html";
    std::ofstream(path) << inspection_page(models, 1);
    browser_.open(path, screen);
  }
  void expect_sound() {
    EXPECT_EQ(browser_.errors(), std::vector<std::string>{});
    EXPECT_EQ(browser_.requests(), std::vector<std::string>{});
    EXPECT_EQ(browser_.evaluate("document.documentElement.dataset.errors"), "0");
  }
  void choose(const std::string& label, const std::string& value) {
    browser_.evaluate(
        "{ const list = [...document.querySelectorAll('label.filter')].find(l => l.textContent.startsWith('" + label +
        "')).querySelector('select'); list.value = '" + value + "'; list.dispatchEvent(new Event('change')); }");
  }
  Json nodes() { return browser_.evaluate("[...document.querySelectorAll('.network .node')].map(n => n.dataset.id)"); }
  static std::string with_commas(const Json& number) {
    std::string text = number.dump();
    for (std::size_t from_end = 3; from_end < text.size(); from_end += 4) text.insert(text.size() - from_end, ",");
    return text;
  }

  fs::path folder_;
  Browser browser_;
  std::vector<Json> documents_;
};

TEST_F(InspectPage, ShowsTheNumbersOfTheDocument) {
  open({"resnet18"}, false);
  expect_sound();
  const Json& totals = documents_[0].at("totals");
  const std::string text = browser_.text("#totals table");
  for (const char* field : {"parameters", "macs", "macs_and_norms"}) {
    EXPECT_NE(text.find(with_commas(totals.at(field))), std::string::npos) << field;
  }
  // Each stage's parameters, in the order of execution.
  Json expected = Json::array();
  for (const Json& stage : documents_[0].at("stages")) expected.push_back(with_commas(stage.at("parameters")));
  EXPECT_EQ(
      browser_.evaluate("[...document.querySelectorAll('#stages tbody tr')].map(row => row.children[2].textContent)"),
      expected);
}

TEST_F(InspectPage, DrawsBlocksThatOpenToLayers) {
  open({"resnet18"}, false);
  // The picture, four layers, two blocks in each of four stages, pool and head.
  EXPECT_EQ(nodes().size(), 1 + 4 + 8 + 2U);
  choose("Shown", "100");
  EXPECT_EQ(nodes().size(), 1 + documents_[0].at("layers").size());
  choose("Shown", "1");
  EXPECT_EQ(nodes(), Json({"input", "conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4",
                           "global_pool", "fc"}));
  browser_.evaluate(
      "document.querySelector('[data-id=layer2]').dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))");
  EXPECT_EQ(nodes()[6], "layer2.0");
  EXPECT_EQ(nodes()[7], "layer2.1");
  // No two boxes lie on each other, and arrows lead down.
  EXPECT_EQ(browser_.evaluate("(() => { const boxes = [...document.querySelectorAll('.network .node')].map(n => "
                              "n.getAttribute('transform'));"
                              "return new Set(boxes).size === boxes.length; })()"),
            true);
  expect_sound();
}

TEST_F(InspectPage, AfterThePassesFewerNodesAreLeft) {
  open({"resnet18"}, false);
  choose("Shown", "100");
  choose("Graph", "3");  // after batch norm, shortcut and activation
  const std::size_t fused = inspect_model(seeded_card(make_config("resnet18"), 7), "fused", 1).graph.nodes().size();
  EXPECT_EQ(nodes().size(), 1 + fused);
  EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('#passes tbody')][0].rows.length"), passes().size());
  expect_sound();
}

TEST_F(InspectPage, ALayerIsChosenByKeyboardAndShowsItsWeights) {
  open({"resnet18"}, true);
  browser_.evaluate("document.querySelector('.network .node').focus()");
  browser_.press("ArrowDown");
  EXPECT_EQ(browser_.evaluate("document.activeElement.dataset.id"), "conv1");
  browser_.press("Enter");
  const std::string details = browser_.text(".details");
  for (const char* part : {"conv1", "64, kernel 7", "[1, 224, 224, 3]", "[1, 112, 112, 64]", "9,408", "118,013,952",
                           "LeCun et al. 1989"}) {
    EXPECT_NE(details.find(part), std::string::npos) << part << " in " << details;
  }
  // The histogram holds every weight once.
  EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('.details figure tbody tr')].reduce((sum, row) => sum + "
                              "Number(row.children[2].textContent.replaceAll(',', '')), 0)"),
            64 * 3 * 7 * 7);
  EXPECT_EQ(browser_.evaluate("document.querySelector('.details a').href"),
            "https://doi.org/10.1162/neco.1989.1.4.541");
  // From a block to a layer in it.
  browser_.press("End");
  browser_.press("ArrowUp");
  browser_.press("ArrowUp");
  browser_.press("Enter");
  EXPECT_EQ(browser_.text(".details h3"), "layer4.1");
  browser_.evaluate("[...document.querySelectorAll('.details button')].find(b => b.textContent === 'bn2').click()");
  EXPECT_EQ(browser_.text(".details h3"), "layer4.1.bn2");
  EXPECT_NE(browser_.text(".details").find("arXiv:1502.03167"), std::string::npos);
  expect_sound();
}

TEST_F(InspectPage, ZoomsAndMovesByKeyboardWheelAndButtons) {
  open({"resnet18"}, false);
  const std::string transform = "document.querySelector('.network > g').getAttribute('transform')";
  const std::string scale = "Number(" + transform + ".match(/scale\\(([^)]*)/)[1])";
  const double before = browser_.evaluate(scale).get<double>();
  browser_.evaluate("document.querySelector('.network .node').focus()");
  browser_.evaluate("document.querySelector('[aria-label=Closer]').click()");
  EXPECT_GT(browser_.evaluate(scale).get<double>(), before);
  browser_.evaluate("document.querySelector('[aria-label=\"The whole network\"]').click()");
  const double whole = browser_.evaluate(scale).get<double>();
  EXPECT_LT(whole, before);
  browser_.evaluate(
      "document.querySelector('.network').dispatchEvent(new WheelEvent('wheel', { deltaY: -100, ctrlKey: true, "
      "cancelable: true }))");
  EXPECT_GT(browser_.evaluate(scale).get<double>(), whole);
  browser_.evaluate("document.querySelector('[aria-label=\"The whole width\"]').click()");
  const Json placed = browser_.evaluate(transform);
  browser_.evaluate(
      "document.querySelector('.network').dispatchEvent(new WheelEvent('wheel', { deltaY: 100, cancelable: true }))");
  EXPECT_NE(browser_.evaluate(transform), placed);
  expect_sound();
}

TEST_F(InspectPage, TwoModelsStandBesideEachOther) {
  open({"resnet18", "vit_tiny_patch16_224"}, false);
  expect_sound();
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('.network').length"), 2);
  EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('#totals thead th')].map(cell => cell.textContent)"),
            Json({"", "seeded:resnet18@7", "seeded:vit_tiny_patch16_224@7"}));
  const std::string text = browser_.text("#totals");
  for (const Json& document : documents_) {
    EXPECT_NE(text.find(with_commas(document.at("totals").at("macs"))), std::string::npos);
  }
  EXPECT_EQ(browser_.evaluate("(([a, b]) => a.top === b.top && a.right <= b.left)"
                              "([...document.querySelectorAll('.network')].map(n => n.getBoundingClientRect()))"),
            true);
}

TEST_F(InspectPage, FitsAPhone) {
  open({"resnet18", "vit_tiny_patch16_224"}, false, {.width = 390, .height = 800, .dark = true});
  expect_sound();
  EXPECT_LE(browser_.evaluate("document.documentElement.scrollWidth").get<int>(), 390);
  EXPECT_EQ(browser_.evaluate("(([a, b]) => a.bottom <= b.top)([...document.querySelectorAll('.network')].map(n => "
                              "n.getBoundingClientRect()))"),
            true);
}

}  // namespace
}  // namespace tessera
