// report.html in Chromium: what it shows is what summary.json says.
#include "tests/pages/report_fixture.h"

namespace tessera::report_test {
namespace {

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

// Only where a model's name is that of published weights.
TEST_F(Report, ShowsThePublishedAccuracyBesideTheMeasuredOne) {
  ComparisonResult result = made_up({"a", "b"}, 300, ten_labels());
  result.header.models[1].published = published_accuracy("timm/resnet50.a1_in1k", 288);
  expect_page_of(open(result));
  const auto rows = table("Accuracy on 300 pictures");
  ASSERT_EQ(rows[1].size(), 7U);
  EXPECT_NE(rows[1][6].find("81.24"), std::string::npos) << rows[1][6];
  EXPECT_EQ(rows[0][6].find_first_of("0123456789"), std::string::npos) << rows[0][6];
  result.header.models[1].published.reset();
  open(result);
  EXPECT_EQ(table("Accuracy on 300 pictures")[1].size(), 6U);
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
}  // namespace tessera::report_test
