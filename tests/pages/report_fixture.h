#pragma once
// A page made of a result, opened in a browser, and what its tests ask of it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "core/text.h"
#include "evaluation/ready/environment.h"
#include "evaluation/report/report.h"
#include "tests/pages/browser.h"

namespace tessera::report_test {

namespace fs = std::filesystem;
using browser_test::Browser;
using Json = nlohmann::json;

inline std::string text_of(const fs::path& path) {
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
inline ComparisonResult made_up(const std::vector<std::string>& models, int pictures,
                                const std::vector<std::string>& labels, int failing = 0) {
  constexpr int kClasses = 10;
  Numbers random;
  ComparisonResult result;
  for (const std::string& name : models) {
    result.header.models.push_back({.name = name,
                                    .prefix = name,
                                    .load_ms = 20,
                                    .parameters = 5'000'000,
                                    .macs = 1'000'000'000,
                                    .memory_bytes = 64'000'000});
  }
  result.header.labels = LabelSet::custom(labels);
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
  result.load_ms = 40;
  return result;
}

inline std::vector<std::string> ten_labels() {
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

}  // namespace tessera::report_test
