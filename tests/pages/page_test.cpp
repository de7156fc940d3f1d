#include "pages/page.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/pages/browser.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using browser_test::Browser;
using Json = nlohmann::json;

// What a page of the tests shows: a table, bars, a scatter of points, an element for each name.
constexpr std::string_view kScript = R"js(
const { data, element, format, table, plot, bars } = tessera;
const columns = [
  { title: 'Name', text: true, value: (row) => row.name },
  { title: 'Value', value: (row) => row.value, format: (value) => format.number(value, 3) },
];
const values = () => table(columns, data.rows, { caption: 'values' });
document.getElementById('main').replaceChildren(
  table(columns, data.rows, { caption: 'rows', filter: 'Name contains' }),
  plot(bars({ title: 'Bars', unit: 'ms', values: values(),
    rows: data.rows.map((row, i) => ({ name: row.name, value: row.value, low: row.value * 0.9, high: row.value * 1.1, series: i, shown: format.ms(row.value) })) })),
  plot({ title: 'Points', height: 240, values: 'As in the table above.', x: { label: 'place', from: 0, to: 10 }, y: { label: 'value', from: 0, to: 10 },
    marks: data.rows.map((row, i) => ({ shape: 'point', x: i + 1, y: row.value, text: row.name + ' at ' + row.value })) }),
  element('p', { id: 'counted' }, format.count(data.count)), element('p', { id: 'share' }, format.percent(data.share)),
  element('p', { id: 'none' }, format.number(data.nothing)), element('p', { id: 'tiny' }, format.probability(data.tiny)));
)js";

class PageInBrowser : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-pages-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void open(const Json& data, const std::string& title = "A page", std::string_view script = kScript,
            const browser_test::Screen& screen = {}) {
    const fs::path path = folder_ / "page.html";
    std::ofstream(path) << make_page({.title = title, .data = data, .css = "", .js = script});
    browser_.open(path, screen);
  }
  // No script failed, nothing was refused, nothing was fetched.
  void expect_sound() {
    EXPECT_EQ(browser_.errors(), std::vector<std::string>{});
    EXPECT_EQ(browser_.requests(), std::vector<std::string>{});
    EXPECT_EQ(browser_.evaluate("document.documentElement.dataset.errors"), "0");
  }
  static Json rows(const std::vector<std::string>& names) {
    Json data{{"rows", Json::array()}, {"count", 50'000}, {"share", 0.80123}, {"nothing", nullptr}, {"tiny", 3.2e-9}};
    double value = 1.5;
    for (const std::string& name : names) data["rows"].push_back({{"name", name}, {"value", value *= 2}});
    return data;
  }
  Json column(const std::string& caption, int index) {
    return browser_.evaluate("[...document.querySelectorAll('.scroll[aria-label=\"" + caption +
                             "\"] tbody tr')].map(row => row.children[" + std::to_string(index) + "].textContent)");
  }

  fs::path folder_;
  Browser browser_;
};

TEST_F(PageInBrowser, ShowsTheNumbersOfItsData) {
  open(rows({"resnet", "vit"}));
  expect_sound();
  EXPECT_EQ(browser_.evaluate("document.title"), "A page");
  EXPECT_EQ(column("rows", 0), Json({"resnet", "vit"}));
  EXPECT_EQ(column("rows", 1), Json({"3.000", "6.000"}));
  EXPECT_EQ(browser_.text("#counted"), "50,000");
  EXPECT_EQ(browser_.text("#share"), "80.12 %");
  EXPECT_EQ(browser_.text("#none"), "–");
  EXPECT_EQ(browser_.text("#tiny"), "3.2e-9");
}

TEST_F(PageInBrowser, HostileTextStaysText) {
  const std::vector<std::string> hostile{"</script><script>document.title='broken'</script>",
                                         "<!--<script>",
                                         "<img src=x onerror=\"document.title='broken'\">",
                                         "\"quoted\" & 'single' `tick` ${x}",
                                         "line\xE2\x80\xA8separator \xE2\x80\xA9 paragraph",
                                         "\xE7\x8C\xAB.jpg \xF0\x9F\x90\x88 \xC3\xA9",
                                         "]]> \\u003c \\"};
  for (const std::string& title : hostile) {
    open(rows(hostile), title);
    expect_sound();
    EXPECT_EQ(browser_.evaluate("document.title.replace(/\\s+/g, ' ')"),
              browser_.evaluate(Json(title).dump() + ".replace(/\\s+/g, ' ')"));
    EXPECT_EQ(column("rows", 0), Json(hostile));
    EXPECT_EQ(browser_.evaluate("document.querySelectorAll('main img, main script').length"), 0);
  }
}

TEST_F(PageInBrowser, BytesThatAreNotUtf8AreReplaced) {
  open(rows({"caf\xE9.jpg"}), "caf\xE9");
  expect_sound();
  EXPECT_EQ(column("rows", 0), Json({"caf\xEF\xBF\xBD.jpg"}));
  EXPECT_EQ(browser_.evaluate("document.title"), "caf\xEF\xBF\xBD");
}

TEST_F(PageInBrowser, ThePolicyRefusesScriptsStylesAndAddressesThatAreNotThePages) {
  open(rows({"a"}), "A page", R"js(
document.body.setAttribute('onclick', "document.title = 'clicked'");
document.body.click();
const script = document.createElement('script');
script.textContent = "document.title = 'injected'";
document.body.append(script);
const image = document.createElement('img');
image.src = 'http://127.0.0.1:9/picture.png';
document.body.append(image);
fetch('http://127.0.0.1:9/data').catch(() => { document.body.dataset.refused = 'yes'; });
)js");
  EXPECT_EQ(browser_.evaluate("document.title"), "A page");
  EXPECT_EQ(browser_.evaluate("new Promise(done => setTimeout(() => done(document.body.dataset.refused), 100))"),
            "yes");
  EXPECT_GE(std::stoi(browser_.evaluate("document.documentElement.dataset.errors").get<std::string>()), 4);
  EXPECT_FALSE(browser_.errors().empty());
}

TEST_F(PageInBrowser, AScriptThatFailsIsCountedAndSaidOnThePage) {
  open(rows({"a"}), "A page", "null.length;");
  EXPECT_EQ(browser_.evaluate("document.documentElement.dataset.errors"), "1");
  EXPECT_NE(browser_.text("#faults").find("This page has a fault"), std::string::npos);
  EXPECT_EQ(browser_.errors().size(), 1U);
}

TEST_F(PageInBrowser, TablesAreSortedByKeyboardAndNarrowedByTyping) {
  open(rows({"resnet", "vit", "beit"}));
  // The first stops: skip link, colours, filter, the table's scrolling region, its two headings.
  for (int i = 0; i < 6; ++i) browser_.press("Tab");
  EXPECT_EQ(browser_.evaluate("document.activeElement.textContent"), "Value");
  browser_.press("Enter");
  EXPECT_EQ(column("rows", 0), Json({"beit", "vit", "resnet"}));
  EXPECT_EQ(browser_.evaluate("document.activeElement.closest('th').getAttribute('aria-sort')"), "descending");
  browser_.press("Enter");
  EXPECT_EQ(column("rows", 0), Json({"resnet", "vit", "beit"}));
  browser_.evaluate(
      "{ const input = document.querySelector('input[type=search]'); input.value = 'IT'; "
      "input.dispatchEvent(new Event('input')); }");
  EXPECT_EQ(column("rows", 0), Json({"vit", "beit"}));
  EXPECT_EQ(browser_.text("[role=status]"), "2 of 3 rows");
  expect_sound();
}

TEST_F(PageInBrowser, MarksOfPlotsAreReachedByKeyboardAndSaid) {
  open(rows({"resnet", "vit"}));
  browser_.evaluate("document.querySelector('figure .scroll button, figure [role=img]').focus()");
  EXPECT_EQ(browser_.evaluate("document.activeElement.getAttribute('aria-label')"), "resnet: 3.00");
  EXPECT_EQ(browser_.text("figure .tip:not([hidden])"), "resnet: 3.00");
  browser_.press("ArrowRight");
  EXPECT_EQ(browser_.text("figure .tip:not([hidden])"), "vit: 6.00");
  browser_.press("Escape");
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('figure .tip:not([hidden])').length"), 0);
  // One stop for the plot, whatever it holds.
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('figure:first-of-type svg [tabindex=\"0\"]').length"), 1);
  // Each plot has a name and its numbers in words, or says where they are.
  EXPECT_EQ(
      browser_.evaluate("[...document.querySelectorAll('figure')].every(f => f.querySelector('svg[aria-label]') && "
                        "f.querySelector('details table, p.note'))"),
      true);
  expect_sound();
}

TEST_F(PageInBrowser, FitsAPhoneAndFollowsTheDarkScheme) {
  const std::string long_name(120, 'w');
  open(rows({long_name, "vit"}), long_name, kScript, {.width = 360, .height = 700, .dark = true});
  expect_sound();
  EXPECT_LE(browser_.evaluate("document.documentElement.scrollWidth").get<int>(), 360);
  EXPECT_LE(browser_.evaluate("document.querySelector('figure svg').getBoundingClientRect().right").get<double>(), 360);
  const std::string ground = "getComputedStyle(document.body).backgroundColor";
  EXPECT_EQ(browser_.evaluate(ground), "rgb(20, 23, 26)");
  browser_.evaluate("document.querySelector('.theme').click()");  // light, whatever the system has
  EXPECT_EQ(browser_.evaluate(ground), "rgb(255, 255, 255)");
}

TEST(Page, DataUrisAreBase64) {
  const std::string text = "any carnal pleas";
  EXPECT_EQ(data_uri("image/jpeg", std::as_bytes(std::span(text.data(), text.size()))),
            "data:image/jpeg;base64,YW55IGNhcm5hbCBwbGVhcw==");
}

}  // namespace
}  // namespace tessera
