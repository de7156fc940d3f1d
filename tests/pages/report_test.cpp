// report.html in Chromium: what it shows is what summary.json says.
#include "evaluation/report.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "evaluation/environment.h"
#include "tests/pages/browser.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using browser_test::Browser;
using Json = nlohmann::json;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A repeatable stream of numbers in [0, 1).
class Numbers {
 public:
  double operator()() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 40) / static_cast<double>(1U << 24);
  }

 private:
  std::uint64_t state_ = 1;
};

// Predictions of models that are right about 3 times in 4 on pictures of ten classes; every `failing`-th is an error.
ComparisonResult made_up(const std::vector<std::string>& models, int pictures, const std::vector<std::string>& labels,
                         int failing = 0) {
  constexpr int kClasses = 10;
  Numbers random;
  ComparisonResult result;
  for (const std::string& name : models) {
    result.models.push_back({.name = name,
                             .prefix = name,
                             .load_ms = 20,
                             .parameters = 5'000'000,
                             .macs = 1'000'000'000,
                             .memory_bytes = 64'000'000});
  }
  result.labels = LabelSet::custom(labels);
  for (int i = 0; i < pictures; ++i) {
    const int label = i % kClasses;
    ComparisonRow row{.number = i,
                      .sample = {.path = {}, .name = "p" + std::to_string(i) + ".jpg", .folder = "f", .label = label}};
    row.read_ms = 0.2;
    row.load_ms = 2 + random();
    if (failing > 0 && i % failing == failing - 1) {
      row.error = "p" + std::to_string(i) + ".jpg: is cut off";
      result.rows.push_back(row);
      continue;
    }
    for (std::size_t m = 0; m < models.size(); ++m) {
      Prediction prediction;
      const int named = random() < 0.75 ? label : static_cast<int>(random() * kClasses);
      const double sure = 0.4 + 0.5 * random();
      set_best(prediction, {{named, sure}, {(named + 1) % kClasses, 0.05}, {(named + 2) % kClasses, 0.02}}, label);
      prediction.preprocess_ms = 1 + random();
      prediction.inference_ms = static_cast<double>(m + 1) * (10 + random()) + (i == 0 ? 200 : 0);
      prediction.postprocess_ms = 0.01;
      row.predictions.push_back(prediction);
    }
    result.rows.push_back(row);
  }
  result.loop_ms = 5000;
  result.total_ms = 5040;
  return result;
}

std::vector<std::string> ten_labels() {
  std::vector<std::string> labels;
  for (int i = 0; i < 10; ++i) labels.push_back("class number " + std::to_string(i) + ", and more");
  return labels;
}

class Report : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-report-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Runs the binary; its exit code.
  int tessera(const std::vector<std::string>& arguments) const {
    std::string command = shell_quoted(TESSERA_BINARY);
    for (const std::string& argument : arguments) command += " " + shell_quoted(argument);
    const int status = std::system(
        (command + " >" + shell_quoted((folder_ / "out").string()) + " 2>" + shell_quoted((folder_ / "err").string()))
            .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // Opens the page of a result; gives its summary.json.
  Json open(const ComparisonResult& result, const ReportContext& more = {}, const browser_test::Screen& screen = {}) {
    const ComparisonSummary summary = summarise(result);
    ReportContext context = more;
    if (context.advice.empty()) context.advice = advise(summary, {});
    std::ofstream(folder_ / "report.html") << report_page(result, summary, context);
    browser_.open(folder_ / "report.html", screen);
    return summary_json(summary, result);
  }
  Json open_folder(const fs::path& out) {
    browser_.open(out / "report.html");
    return Json::parse(text_of(out / "summary.json"));
  }

  // The cells of a table, by its caption.
  std::vector<std::vector<std::string>> table(const std::string& caption) {
    return browser_
        .evaluate("[...document.querySelectorAll('table')].filter(t => t.caption && t.caption.textContent === " +
                  Json(caption).dump() +
                  ")[0].querySelectorAll('tbody tr').values().map(row => [...row.children].map(cell => "
                  "cell.textContent)).toArray()")
        .get<std::vector<std::vector<std::string>>>();
  }
  static double number(std::string text) {
    std::erase(text, ',');
    return std::stod(text);
  }
  // What is shown with `digits` decimals is the value.
  static void expect_shown(const std::string& shown, double value, int digits) {
    ASSERT_NE(shown, "–") << value;
    EXPECT_NEAR(number(shown), value, 0.5 * std::pow(10, -digits) * (1 + 1e-6)) << shown;
  }
  static void expect_ms(const std::string& shown, double value) {
    expect_shown(shown, value, value < 1 ? 3 : value < 1000 ? 2 : 1);
  }

  // Nothing failed, nothing was refused or fetched; words stand in for pictures; no id is there twice.
  void expect_sound() {
    EXPECT_EQ(browser_.errors(), std::vector<std::string>{});
    EXPECT_EQ(browser_.requests(), std::vector<std::string>{});
    EXPECT_EQ(browser_.evaluate("document.documentElement.dataset.errors"), "0");
    EXPECT_EQ(browser_.evaluate("[...document.images].filter(image => !image.alt).length"), 0);
    EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('figure')].filter(figure => !(figure.querySelector("
                                "'svg[aria-label]') && figure.querySelector('details table, p.note'))).length"),
              0);
    EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('select, input')].filter(control => "
                                "!control.closest('label')).length"),
              0);
    EXPECT_EQ(browser_.evaluate("(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map("
                                "node => node.id))"),
              0);
    EXPECT_EQ(browser_.evaluate("/undefined|NaN|\\[object/.test(document.getElementById('main').textContent)"), false);
  }

  void expect_accuracy(const Json& summary) {
    const auto rows = table("Accuracy on " + grouped(summary["pictures"]) + " pictures");
    ASSERT_EQ(rows.size(), summary["models"].size());
    for (std::size_t m = 0; m < rows.size(); ++m) {
      const Json& model = summary["models"][m];
      EXPECT_EQ(rows[m][0], model["name"]);
      expect_shown(rows[m][1], 100 * model["top1_share"].get<double>(), 2);
      expect_shown(rows[m][2], 100 * model["top1_interval"][0].get<double>(), 2);
      expect_shown(rows[m][2].substr(rows[m][2].find("to") + 2), 100 * model["top1_interval"][1].get<double>(), 2);
      expect_shown(rows[m][3], 100 * model["top5_share"].get<double>(), 2);
      EXPECT_EQ(number(rows[m][5]), model["top1"]);
      const std::string bar = browser_.evaluate("document.querySelectorAll('#accuracy figure .bar')[" +
                                                std::to_string(m) + "].getAttribute('aria-label')");
      EXPECT_NE(bar.find(rows[m][1] + ", " + rows[m][5] + " of "), std::string::npos) << bar;
    }
    const auto confidence = table("Confidence and calibration, all pictures");
    for (std::size_t m = 0; m < confidence.size(); ++m) {
      expect_shown(confidence[m][1], 100 * summary["models"][m]["mean_confidence"].get<double>(), 2);
      expect_shown(confidence[m][3], summary["models"][m]["calibration_error"].get<double>(), 4);
    }
  }

  // The first pair, which is the one that is shown at first.
  void expect_pair(const Json& summary) {
    const Json& pair = summary["pairs"][0];
    const double pictures = summary["pictures"];
    EXPECT_EQ(browser_.text(".verdict"), pair["verdict"]);
    const auto rows = table("Agreement on " + grouped(summary["pictures"]) + " pictures");
    ASSERT_EQ(rows.size(), 5U);
    const std::vector<std::string> fields{"both_correct", "first_only", "second_only", "both_wrong", "same_prediction"};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(number(rows[i][1]), pair[fields[i]]) << fields[i];
      expect_shown(rows[i][2], 100 * pair[fields[i]].get<double>() / pictures, 2);
    }
    auto facts = browser_
                     .evaluate(
                         "[...document.querySelectorAll('#agreement table')].at(-1).querySelectorAll("
                         "'tbody tr').values().map(row => row.children[1].textContent).toArray()")
                     .get<std::vector<std::string>>();
    expect_shown(facts.at(0), 100 * pair["top1_difference"].get<double>(), 2);
    for (const char* field : {"p_exact", "p_adjusted"}) {
      if (summary["pairs"].size() == 1 && field == std::string("p_adjusted")) continue;
      const double p = pair["mcnemar"][field];
      EXPECT_NEAR(number(facts.at(1).substr(std::string("p = ").size())), p, std::max(5.1e-5, 0.051 * p * (p < 1e-4)));
      facts.erase(facts.begin() + 1);
    }
    facts.insert(facts.begin(), "");
    if (pair["cohen_kappa"].is_number()) expect_shown(facts.at(2), pair["cohen_kappa"], 4);
    if (pair["error_consistency"].is_number()) expect_shown(facts.at(3), pair["error_consistency"], 4);
    expect_shown(facts.at(4), 100 * pair["same_wrong_prediction"].get<double>() / pictures, 2);
    expect_shown(facts.at(7), 100 * pair["either_correct"].get<double>() / pictures, 2);
    expect_shown(facts.at(8), 100 * pair["more_confident_correct"].get<double>() / pictures, 2);
  }

  void expect_times(const Json& summary) {
    const auto rows = table("Times, ms a picture");
    std::size_t at = 0;
    for (const Json& model : summary["models"]) {
      for (const char* stage : {"batch_inference_ms", "preprocess_ms", "postprocess_ms", "latency_ms"}) {
        if (model[stage]["max"] == 0) continue;
        const std::vector<std::string> fields{"mean", "median", "p90", "p99", "min", "max", "first"};
        for (std::size_t i = 0; i < fields.size(); ++i) expect_ms(rows.at(at)[i + 1], model[stage][fields[i]]);
        ++at;
      }
    }
    const bool overlapped = summary["mode"]["overlapped"];
    const auto rates = table(std::string("Images per second (1000 over the mean times") +
                             (overlapped ? ", as if nothing overlapped)" : ")"));
    for (std::size_t m = 0; m < rates.size(); ++m) {
      const std::size_t first = overlapped ? 2 : 1;
      if (overlapped) expect_shown(rates[m][1], summary["models"][m]["inference_per_second"], 1);
      expect_shown(rates[m][first], summary["models"][m]["images_per_second"], 1);
      expect_shown(rates[m][first + 1], summary["models"][m]["images_per_second_with_decoding"], 1);
    }
    // Each histogram holds every picture: in its bins or said to be outside.
    EXPECT_EQ(
        browser_.evaluate("tessera.data.times.every(stage => stage.series.every(series => series.below + "
                          "series.above + series.counts.reduce((a, b) => a + b) === tessera.data.summary.pictures))"),
        true);
  }

  void expect_classes(const Json& summary) {
    browser_.evaluate("[...document.querySelectorAll('#classes .more')].forEach(button => button.click())");
    const auto rows = table("Top-1 by class");
    ASSERT_EQ(rows.size(), summary["classes"].size());
    std::map<std::string, std::vector<std::string>> by_label;
    for (const auto& row : rows) by_label[row[0]] = row;
    for (const Json& of_class : summary["classes"]) {
      const auto& row =
          by_label.at(of_class["label"].get<std::string>().substr(0, of_class["label"].get<std::string>().find(',')));
      EXPECT_EQ(number(row[1]), of_class["pictures"]);
      for (std::size_t m = 0; m < summary["models"].size(); ++m) {
        expect_shown(row[2 + m], 100 * of_class["correct"][m].get<double>() / of_class["pictures"].get<double>(), 1);
      }
    }
  }

  void expect_page_of(const Json& summary) {
    expect_sound();
    EXPECT_EQ(browser_.evaluate("tessera.data.summary"), summary);
    expect_accuracy(summary);
    if (!summary["pairs"].empty()) expect_pair(summary);
    expect_times(summary);
    expect_classes(summary);
  }

  // "50,000"
  static std::string grouped(const Json& count) {
    std::string text = std::to_string(count.get<std::int64_t>());
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
      text.insert(static_cast<std::size_t>(at), ",");
    }
    return text;
  }

  fs::path folder_;
  Browser browser_;
};

TEST_F(Report, OfARealRunShowsItsNumbersPicturesAndCommand) {
  const fs::path pictures = fs::path(TESSERA_TEST_DATA) / "vision", data = folder_ / "it's data";
  for (const auto& [wnid, file] :
       {std::pair{"n01440764", "jpeg_444.jpg"}, {"n01443537", "png_rgb.png"}, {"n15075141", "jpeg_progressive.jpg"}}) {
    fs::create_directories(data / wnid);
    fs::copy_file(pictures / file, data / wnid / file);
  }
  const fs::path out = folder_ / "run";
  const std::vector<std::string> arguments{"compare",
                                           "--data",
                                           data.string(),
                                           "--model",
                                           "seeded:resnet18@1",
                                           "--model",
                                           "seeded:vit_tiny_patch16_224@1",
                                           "--out",
                                           out.string(),
                                           "--threads",
                                           "1",
                                           "--warmup",
                                           "0"};
  ASSERT_EQ(tessera(arguments), 0) << text_of(folder_ / "err");
  const Json summary = open_folder(out);
  expect_page_of(summary);
  EXPECT_EQ(summary["pictures"], 3);
  // Untrained models err, each in its own way: pictures are there, and decoded by the browser.
  EXPECT_EQ(
      browser_.evaluate(
          "(async () => { const images = [...document.images]; "
          "await Promise.all(images.map(image => image.decode())); "
          "return images.length > 0 && images.every(image => Math.max(image.naturalWidth, image.naturalHeight) <= "
          "160); })()"),
      true);
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('.card').length"),
            summary["pictures"].get<int>() - summary["pairs"][0]["same_prediction"].get<int>());
  EXPECT_EQ(browser_.evaluate("document.querySelector('.card').querySelectorAll('li').length"), 10);
  std::string command = shell_quoted(TESSERA_BINARY);
  for (const std::string& argument : arguments) command += " " + shell_quoted(argument);
  EXPECT_EQ(browser_.text(".command"), command);
  EXPECT_EQ(table("Machine").front().at(1), processor_name());
  // The same page again from the log alone.
  ASSERT_EQ(tessera({"analyze", out.string(), "--out", (folder_ / "again").string()}), 0) << text_of(folder_ / "err");
  expect_page_of(open_folder(folder_ / "again"));
  EXPECT_GT(browser_.evaluate("document.images.length").get<int>(), 0);
  EXPECT_EQ(browser_.text(".command"), command);
  // Without the data there are names and no pictures; with --data they are found where they lie now.
  fs::rename(data, folder_ / "moved");
  ASSERT_EQ(tessera({"analyze", out.string(), "--out", (folder_ / "again").string()}), 0) << text_of(folder_ / "err");
  open_folder(folder_ / "again");
  expect_sound();
  EXPECT_EQ(browser_.evaluate("document.images.length"), 0);
  EXPECT_GT(browser_.evaluate("document.querySelectorAll('.card').length").get<int>(), 0);
  ASSERT_EQ(
      tessera({"analyze", out.string(), "--out", (folder_ / "again").string(), "--data", (folder_ / "moved").string()}),
      0)
      << text_of(folder_ / "err");
  open_folder(folder_ / "again");
  EXPECT_GT(browser_.evaluate("document.images.length").get<int>(), 0);
}

TEST_F(Report, OfATableAsTheArticlesShowsItsNumbersAndSaysThatTheMachineIsNotKnown) {
  Numbers random;
  std::ofstream csv(folder_ / "table.csv");
  csv << "image,wnid,gt_idx,gt_label,resnet_pred_idx,resnet_pred_label,resnet_top1_correct,resnet_top5_correct,"
         "resnet_conf,resnet_preprocess_ms,resnet_inference_ms,vit_pred_idx,vit_pred_label,vit_top1_correct,"
         "vit_top5_correct,vit_conf,vit_preprocess_ms,vit_inference_ms,image_load_ms\n";
  for (int i = 0; i < 1000; ++i) {
    csv << "ILSVRC2012_val_" << i << ".JPEG,n" << i << "," << i << ",\"class " << i << ", and more\"";
    for (const double time : {i == 0 ? 167.0 : 6.0, 4.3}) {
      const bool right = random() < 0.8;
      const int named = right ? i : 999 - i;
      csv << "," << named << ",\"class " << named << ", and more\"," << (right ? "True,True," : "False,False,")
          << 40 + 60 * random() << "," << 2.5 + random() << "," << time + 0.3 * random();
    }
    csv << "," << 2 + random() << "\n";
  }
  csv.close();
  const fs::path out = folder_ / "analysis";
  ASSERT_EQ(tessera({"analyze", (folder_ / "table.csv").string(), "--out", out.string(), "--budget", "latency=8ms"}), 0)
      << text_of(folder_ / "err");
  Json summary = open_folder(out);
  const Json advice = summary["advice"];
  summary.erase("advice");
  expect_page_of(summary);
  EXPECT_EQ(summary["pictures"], 1000);
  EXPECT_NE(browser_.text("#summary").find("resnet: the first picture took 167 ms, 27 times the median"),
            std::string::npos)
      << browser_.text("#summary");
  EXPECT_NE(browser_.text("#environment").find("Not known"), std::string::npos);
  EXPECT_EQ(browser_.evaluate("document.images.length"), 0);
  const auto cost = table("What each model gives and costs");
  for (std::size_t m = 0; m < 2; ++m)
    EXPECT_EQ(cost[m].back(), advice[m]["misses"].empty() ? "met" : advice[m]["misses"][0].get<std::string>());
  EXPECT_LT(fs::file_size(out / "report.html"), 1U << 20);
}

TEST_F(Report, OfOneModelHasItsErrorsAndNoPairs) {
  expect_page_of(open(made_up({"only"}, 300, ten_labels())));
  EXPECT_EQ(browser_.evaluate("document.getElementById('agreement')"), nullptr);
  EXPECT_EQ(browser_.text("#gallery h2"), "Errors, the most confident first");
  EXPECT_GT(browser_.evaluate("document.querySelectorAll('.card').length").get<int>(), 0);
}

TEST_F(Report, OfFiveModelsShowsThePairThatIsChosen) {
  const Json summary = open(made_up({"a/one", "b/one", "two", "three", "four"}, 300, ten_labels()));
  expect_page_of(summary);
  EXPECT_EQ(table("Every two models, all pictures").size(), 10U);
  browser_.evaluate(
      "{ const list = document.querySelectorAll('.controls select')[1]; list.value = '7'; "
      "list.dispatchEvent(new Event('change')); }");
  EXPECT_EQ(browser_.text(".verdict"), summary["pairs"][7]["verdict"]);
  EXPECT_EQ(number(table("Agreement on 300 pictures")[0][1]), summary["pairs"][7]["both_correct"]);
  expect_sound();
}

// Each figure points to a table that is there and has its numbers, whatever is chosen.
TEST_F(Report, OfAChosenClassHasTheNumbersOfThatClass) {
  const Json summary = open(made_up({"a", "b", "c"}, 300, ten_labels()));
  const std::string note = "The same numbers are in the table above.";
  const std::string accuracy = "document.getElementById('accuracy').textContent";
  EXPECT_NE(browser_.evaluate(accuracy).get<std::string>().find(note), std::string::npos);
  browser_.evaluate(
      "{ const list = document.querySelector('.controls select'); list.value = '3'; "
      "list.dispatchEvent(new Event('change')); }");
  EXPECT_EQ(browser_.evaluate(accuracy).get<std::string>().find(note), std::string::npos);
  const Json& of_class = summary["classes"][3];
  const auto rows = table("Top-1 of 30 pictures of " + of_class["label"].get<std::string>());
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(number(rows[1][3]), of_class["correct"][1]);
  EXPECT_EQ(browser_.text(".verdict"), "Over all pictures: " + summary["pairs"][0]["verdict"].get<std::string>());
  EXPECT_NE(browser_.text("#gallery").find("in brackets are of all classes"), std::string::npos);
  // The quartiles of a box plot are in no other table.
  const auto boxes = browser_.evaluate("tessera.data.times[0].series[0].quarter");
  expect_ms(table("Quartiles, ms: inference")[0][2], boxes);
  expect_shown(table("Every two models, all pictures")[1][4], summary["pairs"][1]["mcnemar"]["p_adjusted"], 4);
  expect_sound();
}

TEST_F(Report, OfBatchesSpeaksOfTheBatch) {
  ComparisonResult result = made_up({"a", "b"}, 320, ten_labels());
  result.overlapped = true;
  result.warmup = 0;
  result.parts = {{.pictures = 160, .loop_ms = 2000}, {.pictures = 160, .loop_ms = 3000}};
  for (ComparisonRow& row : result.rows) {
    row.batch = 8;
    for (Prediction& p : row.predictions) p.batch_ms = 8 * p.inference_ms + 1;
  }
  const Json summary = open(result);
  expect_page_of(summary);
  EXPECT_GT(summary["models"][0]["latency_ms"]["p90"].get<double>(), 80);
  expect_ms(table("What each model gives and costs")[0][2], summary["models"][0]["latency_ms"]["p90"]);
  const std::string times = browser_.text("#times");
  for (const char* part : {"inference of its batch (up to 8)", "there was no warm-up", "stages overlap",
                           "The 2 shards took 5.0 s, added up", "if the shards ran beside each other"}) {
    EXPECT_NE(times.find(part), std::string::npos) << part << "\n" << times;
  }
}

TEST_F(Report, OfARunWithErrorsNamesThemAndLeavesThemOut) {
  const Json summary = open(made_up({"a", "b"}, 400, ten_labels(), 4));
  expect_page_of(summary);
  EXPECT_EQ(summary["pictures"], 300);
  EXPECT_EQ(summary["errors"], 100);
  EXPECT_EQ(browser_.text(".sentences li"), "100 pictures ended in an error and are in no figure.");
  EXPECT_EQ(table("The first 50").size(), 50U);
  EXPECT_EQ(table("The first 50")[0][1], "p3.jpg: is cut off");
}

TEST_F(Report, OfARunInWhichNothingCouldBeReadSaysSo) {
  open(made_up({"a", "b"}, 3, ten_labels(), 1));
  expect_sound();
  EXPECT_NE(browser_.text("#summary").find("there is nothing to compare"), std::string::npos);
  EXPECT_EQ(table("All of them").size(), 3U);
}

TEST_F(Report, FiltersByClassAndKind) {
  const ComparisonResult result = made_up({"a", "b"}, 500, ten_labels());
  open(result);
  std::int64_t right = 0, pictures = 0, both = 0, first_only = 0;
  for (const ComparisonRow& row : result.rows) {
    first_only += row.predictions[0].top1_correct && !row.predictions[1].top1_correct ? 1 : 0;
    if (row.sample.label != 3) continue;
    ++pictures;
    right += row.predictions[0].top1_correct ? 1 : 0;
    both += row.predictions[0].top1_correct && row.predictions[1].top1_correct ? 1 : 0;
  }
  const std::string choose =
      "{ const list = document.querySelector('.controls select'); list.value = '3'; "
      "list.dispatchEvent(new Event('change')); }";
  browser_.evaluate(choose);
  const std::string bar = browser_.evaluate("document.querySelector('#accuracy .bar').getAttribute('aria-label')");
  EXPECT_NE(bar.find(std::to_string(right) + " of " + std::to_string(pictures)), std::string::npos) << bar;
  const Interval interval = wilson_interval(right, pictures);
  expect_shown(bar.substr(bar.find("interval ") + 9), 100 * interval.low, 2);
  expect_shown(bar.substr(bar.find(" to ") + 4), 100 * interval.high, 2);
  EXPECT_EQ(number(table("Agreement on 50 pictures of class number 3, and more")[0][1]), both);
  EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('.card h3')].every(title => title.textContent === "
                              "'class number 3, and more')"),
            true);
  browser_.evaluate(
      "{ const list = document.querySelector('.controls select'); list.value = '-1'; "
      "list.dispatchEvent(new Event('change')); }");
  browser_.evaluate(
      "{ const list = document.querySelector('#gallery select'); list.value = '0'; "
      "list.dispatchEvent(new Event('change')); }");
  EXPECT_EQ(browser_.text("#gallery select option:checked"), "only a right (" + std::to_string(first_only) + ")");
  EXPECT_EQ(browser_.evaluate("[...document.querySelectorAll('.card')].every(card => card.querySelectorAll('.right, "
                              ".wrong')[0].className === 'right' && card.querySelectorAll('.right, .wrong')[1]"
                              ".className === 'wrong')"),
            true);
  expect_sound();
}

TEST_F(Report, HostileNamesStayNames) {
  const std::string script = "<script>document.title='broken'</script>";
  std::vector<std::string> labels(10, "</script><!-- \"quoted\" & 'single' <img src=x onerror=alert(1)>");
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] += std::to_string(i);
  ComparisonResult result = made_up({"a/" + script, "\"b\" & \xE7\x8C\xAB \xE2\x80\xA8"}, 200, labels, 50);
  for (ComparisonRow& row : result.rows) {
    row.sample.name = script + "\xFF.jpg";
    row.sample.folder = "../<b>&amp;";
    if (!row.error.empty()) row.error = script;
  }
  open(result, {.run = {{"command", "tessera '" + script + "'"}, {"models", Json::array()}}});
  expect_sound();
  EXPECT_EQ(browser_.evaluate("document.querySelectorAll('main script, main img, main b').length"), 0);
  EXPECT_EQ(browser_.text("h1").find("a/" + script), 0U);
  EXPECT_EQ(table("Accuracy on 196 pictures")[0][0], "a/" + script);
  EXPECT_EQ(browser_.text(".command"), "tessera '" + script + "'");
  EXPECT_NE(browser_.text(".card .note").find(script + "\xEF\xBF\xBD.jpg"), std::string::npos);
  EXPECT_EQ(table("All of them")[0][1], script);
}

TEST_F(Report, EveryControlAndPlotIsReachedByTheTabulator) {
  open(made_up({"a", "b"}, 200, ten_labels()));
  const std::string controls =
      "document.querySelectorAll('a[href], button, select, input, summary, pre, svg [tabindex=\"0\"]')";
  browser_.evaluate("document.reached = new Set()");
  const int stops = browser_.evaluate(controls + ".length + document.querySelectorAll('.scroll').length").get<int>();
  for (int i = 0; i < stops; ++i) {
    browser_.press("Tab");
    browser_.evaluate("{ document.reached.add(document.activeElement); }");
  }
  EXPECT_EQ(browser_.evaluate("[..." + controls +
                              "].filter(control => control.getClientRects().length > 0 && "
                              "!document.reached.has(control)).map(control => control.outerHTML.slice(0, 80))"),
            Json::array());
  expect_sound();
}

TEST_F(Report, FitsAPhone) {
  const std::string long_name = "organisation/a_model_with_a_very_long_name_patch16_224.augreg_in21k_ft_in1k";
  open(made_up({long_name, long_name + "_distilled"}, 200, ten_labels()), {},
       {.width = 390, .height = 800, .dark = true});
  EXPECT_LE(browser_.evaluate("document.documentElement.scrollWidth").get<int>(), 390);
  expect_sound();
}

TEST_F(Report, OfFiftyThousandPicturesStaysSmall) {
  std::vector<std::string> labels;
  for (int i = 0; i < 10; ++i) labels.push_back("class " + std::to_string(i));
  const ComparisonResult result = made_up({"a", "b"}, 50'000, labels);
  expect_page_of(open(result));
  EXPECT_LT(fs::file_size(folder_ / "report.html"), 6U << 20);
}

}  // namespace
}  // namespace tessera
