// Tables of predictions, and comparisons that make them.
#include <array>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

// A table as the article's script writes it, with the counts that it published for 1000 pictures: both right, one
// alone, none; of those, the same wrong class 89 times.
std::string published_table() {
  std::string csv =
      "image,wnid,gt_idx,gt_label,resnet_pred_idx,resnet_pred_label,resnet_top1_correct,resnet_top5_correct,resnet_"
      "conf,"
      "resnet_preprocess_ms,resnet_inference_ms,vit_pred_idx,vit_pred_label,vit_top1_correct,vit_top5_correct,vit_conf,"
      "vit_preprocess_ms,vit_inference_ms,image_load_ms\n";
  const auto said = [](int index, bool right, double confidence, double ms) {
    return "," + std::to_string(index) + ",\"class, " + std::to_string(index) + "\"," +
           (right ? "True,True" : "False,True") + "," + std::to_string(confidence) + ",2.5," + std::to_string(ms);
  };
  for (int i = 0; i < 1000; ++i) {
    const bool first = i < 724 + 76, second = i < 724 || (i >= 800 && i < 856), same_wrong = i >= 856 && i < 856 + 89;
    const int wrong = same_wrong ? (i + 1) % 1000 : (i + 2) % 1000;
    csv += "val_" + std::to_string(i) + ".JPEG,n0," + std::to_string(i) + ",\"class, " + std::to_string(i) + "\"";
    csv += said(first ? i : (i + 1) % 1000, first, 90, i == 0 ? 167.5 : 6);
    csv += said(second ? i : wrong, second, 80, 4) + ",9.5\n";
  }
  return csv;
}

TEST_F(Cli, AnalyzesTheTableOfTheArticle) {
  const fs::path table = folder_ / "comparison_results.csv";
  std::ofstream(table) << published_table();
  const Json json = run_json({"analyze", table.string(), "--out", (folder_ / "analysis").string()});
  EXPECT_EQ(Json::parse(read_file(folder_ / "analysis" / "summary.json")), json);
  EXPECT_EQ(json.at("pictures"), 1000);
  EXPECT_DOUBLE_EQ(json.at("models")[0].at("top1_share"), 0.8);
  EXPECT_DOUBLE_EQ(json.at("models")[1].at("top1_share"), 0.78);
  EXPECT_NEAR(json.at("models")[0].at("top1_interval")[0], 0.774081, 1e-6);  // statsmodels
  EXPECT_EQ(json.at("models")[0].at("inference_ms").at("first"), 167.5);
  const Json& pair = json.at("pairs")[0];
  for (const auto& [key, count] : {std::pair{"both_correct", 724},
                                   {"first_only", 76},
                                   {"second_only", 56},
                                   {"both_wrong", 144},
                                   {"same_prediction", 813},
                                   {"same_wrong_prediction", 89},
                                   {"either_correct", 856},
                                   {"more_confident_correct", 800}}) {
    EXPECT_EQ(pair.at(key), count) << key;
  }
  EXPECT_NEAR(pair.at("mcnemar").at("p_exact"), 0.0978, 5e-5);
  EXPECT_NEAR(pair.at("mcnemar").at("chi2_corrected"), 2.7348, 5e-5);
  EXPECT_NEAR(pair.at("error_consistency"), 0.6024, 5e-5);
  EXPECT_NEAR(pair.at("top1_difference"), 0.02, 1e-12);
  EXPECT_NE(pair.at("verdict").get<std::string>().find("not distinguishable on 1000 pictures"), std::string::npos);
  const Outcome text = run({"analyze", table.string()});
  EXPECT_EQ(text.exit_code, 0);
  for (const char* part : {"80.00 %", "78.00 %", "81.30 %", "exact p = 0.09781", "28 times the median"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
}

TEST_F(Cli, NamesWhatIsWrongWithATableOfPredictions) {
  const fs::path table = folder_ / "table.csv";
  const std::string header = "image,gt_idx,a_pred_idx,a_top1_correct,a_top5_correct,a_conf\n";
  for (const auto& [text, fault] :
       {std::pair<std::string, const char*>{"", "holds no predictions"},
        {header, "holds no predictions"},
        {"image,gt_idx\nx,1\n", "no column ends in _pred_idx"},
        {"image,image,a_pred_idx\n", "'image' stands twice"},
        {"gt_idx,a_pred_idx\n1,1\n", "there is no column 'a_conf'"},
        {header + "x,1,1,True,True\n", "row 2 has 5 fields, the header 6"},
        {header + "x,1,1,True,True,50\nx,1,-1,True,True,50\n", "row 3, column 'a_pred_idx'"},
        {header + "x,1,1,yes,True,50\n", "expected True or False, found 'yes'"},
        {header + "x,1,1,True,True,nan\n", "column 'a_conf'"},
        {header + "x,1,1,True,True,101\n", "column 'a_conf'"},
        {header + "x,,1,True,True,50\n", "column 'gt_idx': expected a class number"},
        {"image,gt_idx,gt_label,a_pred_idx,a_pred_label,a_top1_correct,a_top5_correct,a_conf\n"
         "x,0,\"cat, Felis\",0,cat,True,True,50\ny,1,dog,0,ape,False,True,50\n",
         "row 3, column 'a_pred_label': expected the name of class 0, which is 'cat, Felis'"}}) {
    std::ofstream(table) << text;
    const Outcome outcome = run({"analyze", table.string()});
    EXPECT_EQ(outcome.exit_code, 3) << text;
    EXPECT_NE(outcome.err.find(fault), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(run({"analyze", (folder_ / "nothing.csv").string()}).exit_code, 3);
}

TEST_F(Cli, ReadsPicturesInATarWithAGroundTruthFile) {
  const fs::path flat = folder_ / "flat";
  fs::create_directories(flat);
  fs::copy_file(kPictures / "jpeg_444.jpg", flat / "ILSVRC2012_val_00000001.JPEG");
  fs::copy_file(kPictures / "png_rgb.png", flat / "ILSVRC2012_val_00000002.JPEG");
  const fs::path tar = folder_ / "val.tar", truth = folder_ / "truth.csv";
  ASSERT_EQ(std::system(("tar -cf '" + tar.string() + "' -C '" + flat.string() + "' .").c_str()), 0);
  std::ofstream(truth) << "ImageId,PredictionString\nILSVRC2012_val_00000002,n01443537 1 2 3 4\n"
                          "ILSVRC2012_val_00000001,n01440764 1 2 3 4\n";
  std::vector<std::vector<std::string>> rows;
  for (const fs::path& data : {flat, tar}) {
    const fs::path out = folder_ / ("run" + std::to_string(rows.size()));
    const Outcome outcome = run(
        {"compare", "--data", data.string(), "--ground-truth", truth.string(), "--model", kVit, "--out", out.string()});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    rows.push_back(without_times(out / "predictions.csv"));
  }
  ASSERT_EQ(rows[0].size(), 2U);
  EXPECT_NE(rows[0][1].find("goldfish"), std::string::npos) << rows[0][1];
  EXPECT_EQ(rows[1], rows[0]);
  std::ofstream(truth) << "7\n";
  EXPECT_EQ(run({"compare", "--data", tar.string(), "--ground-truth", truth.string(), "--model", kVit, "--out",
                 (folder_ / "x").string()})
                .exit_code,
            3);
}

TEST_F(Cli, ComparesIntoTheArticlesColumns) {
  const fs::path out = folder_ / "run";
  const Outcome outcome =
      run({"compare", "--data", data_set().string(), "--model", kResNet, "--model", kVit, "--out", out.string()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string csv = read_file(out / "predictions.csv");
  const std::string article =
      "image,wnid,gt_idx,gt_label,resnet_pred_idx,resnet_pred_label,resnet_top1_correct,resnet_top5_correct,"
      "resnet_conf,resnet_preprocess_ms,resnet_inference_ms,vit_pred_idx,vit_pred_label,vit_top1_correct,"
      "vit_top5_correct,vit_conf,vit_preprocess_ms,vit_inference_ms,image_load_ms";
  EXPECT_EQ(
      csv.find(article +
               ",resnet_postprocess_ms,resnet_top5,vit_postprocess_ms,vit_top5,image_read_ms,average_top5,error,batch,"
               "resnet_batch_ms,vit_batch_ms\n"),
      0U)
      << csv.substr(0, 500);
  EXPECT_NE(csv.find("0_jpeg_444.jpg,n01440764,0,\"tench, Tinca tinca\","), std::string::npos);
  for (const char* part : {"COMPARISON SUMMARY", "Model load time", "TOTAL TIME (3 images)", "PER-IMAGE AVERAGE",
                           "PER-IMAGE MIN", "PER-IMAGE MAX", "Images/second", "Image loading - total",
                           "Evaluation loop total", "Total run time", "Top-1 Acc", "Both models correct",
                           "Both models wrong", "True agreement", "up to 5 examples", "Detailed results saved to"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
  }
  EXPECT_TRUE(read_file(out / "panels.png").starts_with("\x89PNG"));
  EXPECT_NE(read_file(out / "panels.svg").find("</svg>"), std::string::npos);
  const Json summary = Json::parse(read_file(out / "summary.json"));
  EXPECT_EQ(summary.at("pictures"), 3);
  const Json& pair = summary.at("pairs")[0];
  EXPECT_EQ(pair.at("both_correct").get<int>() + pair.at("first_only").get<int>() + pair.at("second_only").get<int>() +
                pair.at("both_wrong").get<int>(),
            3);
  const Json record = Json::parse(read_file(out / "run.json"));
  EXPECT_EQ(record.at("models")[1].at("architecture"), "vit_tiny_patch16_224");
}

TEST_F(Cli, PredictsTheSameForEveryBatchAndThreadCount) {
  const fs::path data = data_set(3);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [batch, threads] : {std::pair{"1", "1"}, {"1", "4"}, {"4", "2"}, {"7", "1"}, {"32", "2"}}) {
    const fs::path out = folder_ / (std::string("run") + batch + threads);
    const Outcome outcome = run({"compare", "--data", data.string(), "--model", kResNet, "--model", kVit, "--out",
                                 out.string(), "--batch", batch, "--threads", threads});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    rows.push_back(without_times(out / "predictions.csv"));
    ASSERT_EQ(rows.back().size(), 9U);
    EXPECT_EQ(rows.back(), rows.front()) << "batch " << batch << ", threads " << threads;
  }
}

TEST_F(Cli, RecordsACorruptPictureAndGoesOn) {
  const fs::path data = data_set(2);
  const fs::path clean = folder_ / "clean", dirty = folder_ / "dirty";
  EXPECT_EQ(
      run({"compare", "--data", data.string(), "--model", kVit, "--out", clean.string(), "--batch", "2"}).exit_code, 0);
  const std::string whole = read_file(kPictures / "jpeg_444.jpg");
  std::ofstream(data / "n01443537" / "00_half.jpg", std::ios::binary) << whole.substr(0, whole.size() / 2);
  const std::vector<std::string> arguments{"compare", "--data",       data.string(), "--model", kVit,
                                           "--out",   dirty.string(), "--batch",     "2"};
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("00_half.jpg: damaged JPEG"), std::string::npos) << outcome.err;
  std::vector<std::string> with = without_times(dirty / "predictions.csv");
  ASSERT_EQ(with.size(), 7U);
  EXPECT_NE(with[2].find("damaged JPEG"), std::string::npos) << with[2];
  with.erase(with.begin() + 2);
  EXPECT_EQ(with, without_times(clean / "predictions.csv"));
  std::vector<std::string> allowed = arguments;
  allowed.insert(allowed.end(), {"--max-errors", "1"});
  EXPECT_EQ(run(allowed).exit_code, 0);
}

// As when a file goes between the listing and the reading.
TEST_F(Cli, RecordsAPictureThatIsNoLongerThere) {
  const fs::path data = data_set(), out = folder_ / "run";
  std::ofstream(data / "list.csv")
      << "n01440764/0_jpeg_444.jpg,tench\ngone.jpg,goldfish\nn01443537/0_png_rgb.png,goldfish\n";
  const Outcome outcome =
      run({"compare", "--data", (data / "list.csv").string(), "--model", kVit, "--out", out.string()});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("gone.jpg: cannot be opened"), std::string::npos) << outcome.err;
  const std::vector<std::string> rows = without_times(out / "predictions.csv");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_NE(rows[1].find("cannot be opened"), std::string::npos) << rows[1];
  EXPECT_EQ(Json::parse(read_file(out / "summary.json")).at("pictures"), 2);
}

TEST_F(Cli, SaysWhereOnePictureStandsForTwoClasses) {
  const fs::path data = data_set(), out = folder_ / "run";
  fs::copy_file(data / "n01443537" / "0_png_rgb.png", data / "n15075141" / "again.png");
  const Outcome outcome = run({"compare", "--data", data.string(), "--model", kVit, "--out", out.string()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string said = "1 picture(s) have the same bytes as one of another class";
  EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  EXPECT_NE(read_file(out / "run.json").find(said), std::string::npos);
}

TEST_F(Cli, RefusesModelsThatDoNotPredictTheSameClasses) {
  const Outcome outcome = run({"compare", "--data", data_set().string(), "--model", kResNet, "--model",
                               "seeded:vit_small_patch14_dinov2", "--out", (folder_ / "run").string()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "run" / "predictions.csv"));
}

TEST_F(Cli, SaysWhenMemoryRunsOut) {
  constexpr rlim_t kTooLittle = 300 << 20;
  const Outcome outcome = wait(start(
      {"classify", (kPictures / "png_rgb.png").string(), "--model", "seeded:vit_base_patch16_224", "--threads", "1"},
      RLIMIT_AS, kTooLittle));
  EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("memory"), std::string::npos) << outcome.err;
}

TEST_F(Cli, TellsTwoModelsOfOneNameApart) {
  const fs::path twin = folder_ / "twin.h5", other = folder_ / "other.h5", out = folder_ / "run";
  for (const fs::path& file : {twin, other}) {
    ASSERT_EQ(run({"seed-weights", "vit_tiny_patch16_224@1", "-o", file.string()}).exit_code, 0);
  }
  const Outcome outcome = run({"compare", "--data", data_set().string(), "--model", twin.string(), "--model",
                               other.string(), "--out", out.string()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json summary = Json::parse(read_file(out / "summary.json"));
  const std::string name = "seeded:vit_tiny_patch16_224@1";
  EXPECT_EQ(summary.at("models")[0].at("name"), name + " (twin)");
  EXPECT_EQ(summary.at("pairs")[0].at("models"), (Json{name + " (twin)", name + " (other)"}));
  EXPECT_NE(outcome.out.find(name + " (other) correct, " + name + " (twin) wrong"), std::string::npos) << outcome.out;
  EXPECT_NE(read_file(out / "predictions.csv").find("vit_tiny_patch16_224_2_pred_idx"), std::string::npos);
  const Json json =
      run_json({"classify", (kPictures / "png_rgb.png").string(), "--model", twin.string(), "--model", twin.string()});
  EXPECT_EQ(json.at("results")[0].at("model"), name + " #1");
  EXPECT_EQ(json.at("results")[1].at("model"), name + " #2");
}

}  // namespace
}  // namespace tessera::cli_test
