// What each command does, as a user runs it.
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

// What --tune measures is kept, and found again; a cache that is no cache is made anew.
TEST_F(Cli, TunesOnceOnAMachine) {
  const std::vector<std::string> tuned{"profile", kResNet, "--tune", "--threads", "1", "--runs", "1", "--isa", "avx2"};
  const fs::path cache = folder_ / "home" / "tuning.json";
  EXPECT_EQ(run(tuned).exit_code, 0);
  const std::string measured = read_file(cache);
  const Json json = Json::parse(measured);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json.begin()->size(), 14U) << measured;  // 3x3 of stride 1 and 1x1, each shape once
  const auto written = fs::last_write_time(cache);
  EXPECT_EQ(run(tuned).exit_code, 0);
  EXPECT_EQ(fs::last_write_time(cache), written);
  for (const char* damaged : {"", "{", "[1]", R"({"a machine": 3})"}) {
    std::ofstream(cache) << damaged;
    EXPECT_EQ(run(tuned).exit_code, 0) << damaged;
    EXPECT_TRUE(Json::parse(read_file(cache)).is_object()) << damaged;
  }
  const Outcome eigen = run({"profile", kResNet, "--tune", "--device", "eigen"});
  EXPECT_EQ(eigen.exit_code, 2);
  EXPECT_NE(eigen.err.find("--tune"), std::string::npos) << eigen.err;
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
  EXPECT_NE(outcome.err.find("bad.jpg: neither a JPEG nor a PNG picture"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("empty.jpg: is empty"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("png_rgb.png"), std::string::npos);
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

TEST_F(Cli, WritesReadsAndInspectsModels) {
  const std::string file = (folder_ / "model.h5").string();
  const Json made = run_json({"seed-weights", "vit_tiny_patch16_224@1", "-o", file});
  EXPECT_EQ(made.at("parameters"), 5717416);
  const Json inspected = run_json({"inspect", file});
  EXPECT_EQ(inspected.at("totals").at("parameters"), 5717416);
  EXPECT_EQ(inspected.at("totals").at("macs"), 1253683200);
  const Json fused = run_json({"inspect", file, "--graph", "fused"});
  EXPECT_LT(fused.at("layers").size(), inspected.at("layers").size());
  const Json bare = run_json({"inspect", "resnet50"});
  EXPECT_EQ(bare.at("totals").at("parameters"), 25557032);
  EXPECT_EQ(bare.at("totals").at("macs"), 4089184256);
  const Outcome text = run({"inspect", "vit_base_patch16_224"});
  EXPECT_NE(text.out.find("86,567,656"), std::string::npos);
  EXPECT_NE(text.out.find("blocks.11.mlp.fc2"), std::string::npos);
  // The file and the name give the same answers.
  const std::string picture = (kPictures / "png_rgb.png").string();
  const Json from_file = run_json({"classify", picture, "--model", file, "--logits"});
  const Json from_name = run_json({"classify", picture, "--model", kVit, "--logits"});
  EXPECT_EQ(from_file.at("results")[0].at("logits"), from_name.at("results")[0].at("logits"));
  const Json models = run_json({"models"});
  EXPECT_GE(models.at("architectures").size(), 20U);
}

TEST_F(Cli, ConvertsInstallsAndVerifies) {
  const fs::path source = fs::path(TESSERA_TEST_DATA) / "weights" / "hf_vit_hub";
  const Outcome converted = run({"convert", source.string(), "--name", "google/tiny"});
  EXPECT_EQ(converted.exit_code, 0) << converted.err;
  EXPECT_TRUE(fs::exists(folder_ / "home" / "models" / "google" / "tiny.h5"));
  EXPECT_EQ(run({"convert", source.string(), "--name", "google/tiny"}).exit_code, 0);  // the same again
  const std::string other = (source.parent_path() / "hf_dinov2_hub").string();
  const Outcome replacing = run({"convert", other, "--name", "google/tiny"});
  EXPECT_EQ(replacing.exit_code, 2);
  EXPECT_NE(replacing.err.find("--force"), std::string::npos) << replacing.err;
  EXPECT_EQ(run({"convert", other, "--name", "shapes-vit"}).exit_code, 2);  // which comes with the program
  EXPECT_EQ(run({"convert", other, "--name", "x/"}).exit_code, 2);
  EXPECT_EQ(run({"convert", other, "--name", "google/tiny", "--force"}).exit_code, 0);
  EXPECT_EQ(run({"convert", source.string(), "--name", "google/tiny", "--force"}).exit_code, 0);
  // Beside those that come with the program.
  EXPECT_EQ(run_json({"models"}).at("installed"), Json::array({"google/tiny", "shapes-resnet", "shapes-vit"}));
  const std::string reference = (source / "expected.h5").string();
  EXPECT_EQ(run({"verify", "google/tiny", "--reference", reference}).exit_code, 0);
  const Outcome strict = run({"verify", "google/tiny", "--reference", reference, "--rtol", "0", "--atol", "1e-12"});
  EXPECT_EQ(strict.exit_code, 6);
  EXPECT_NE(strict.out.find("NOT equal"), std::string::npos);
}

TEST_F(Cli, ProfilesEachLayerWithItsKernel) {
  const Json profile = run_json({"profile", kVit, "--runs", "3", "--batch", "2", "--threads", "2"});
  EXPECT_EQ(profile.at("batch"), 2);
  EXPECT_GT(profile.at("roofline").at("gflops"), 1);
  double sum = 0;
  for (const Json& layer : profile.at("layers")) {
    EXPECT_FALSE(layer.at("kernel").get<std::string>().empty());
    EXPECT_LE(layer.at("min_us"), layer.at("median_us"));
    sum += layer.at("median_us").get<double>();
  }
  EXPECT_NEAR(profile.at("sum_of_medians_us").get<double>(), sum, 1e-6 * sum);
  const Outcome reference = run({"profile", kVit, "--runs", "2", "--device", "eigen"});
  EXPECT_EQ(reference.exit_code, 0) << reference.err;
  EXPECT_NE(reference.out.find("blocks.0.attn.qkv"), std::string::npos);
  EXPECT_EQ(run({"profile", kVit, "--isa", "avx1024"}).exit_code, 2);
}

TEST_F(Cli, QuantisesAndRunsInFewerBits) {
  const std::string data = data_set().string(), calibrated = (folder_ / "int8.h5").string();
  const std::string model = "seeded:efficientnet_lite0@7", picture = (kPictures / "jpeg_444.jpg").string();
  const Json quantised = run_json({"quantize", model, "--calibrate", data, "--limit", "2", "-o", calibrated});
  EXPECT_EQ(quantised.at("pictures"), 2);
  EXPECT_GT(quantised.at("ranges").size(), 40U);
  const auto logits = [&](const std::string& name, const std::string& dtype) {
    const Json result = run_json({"classify", picture, "--model", name, "--dtype", dtype, "--logits"});
    return result.at("results")[0].at("logits").get<std::vector<double>>();
  };
  const std::vector<double> exact = logits(model, "f32");
  EXPECT_EQ(exact, logits(calibrated, "f32"));  // the weights are untouched
  const auto relative_error = [&](const std::vector<double>& found) {
    double error = 0, sum = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      error += (found[i] - exact[i]) * (found[i] - exact[i]);
      sum += exact[i] * exact[i];
    }
    return std::sqrt(error / sum);
  };
  // Above nothing: fewer bits were in fact used. Seeded weights take rounding worse than trained ones.
  const double bf16 = relative_error(logits(model, "bf16")), int8 = relative_error(logits(calibrated, "int8"));
  EXPECT_GT(bf16, 1e-5);
  EXPECT_LT(bf16, 0.03);
  EXPECT_GT(int8, 1e-4);
  EXPECT_LT(int8, 0.2);
  // Also of what the CPU computes together with its neighbours.
  const Json fused = run_json({"quantize", "seeded:efficientnet_lite0@1", "--calibrate", data, "--limit", "1", "-o",
                               (folder_ / "lite.h5").string()});
  EXPECT_TRUE(fused.at("ranges").contains("blocks.1.0.bn1.act")) << fused;
  const Outcome uncalibrated = run({"classify", picture, "--model", model, "--dtype", "int8"});
  EXPECT_EQ(uncalibrated.exit_code, 2);
  EXPECT_NE(uncalibrated.err.find("tessera quantize"), std::string::npos) << uncalibrated.err;
  const Outcome unknown = run({"classify", picture, "--model", model, "--dtype", "fp4"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("f32, bf16, int8"), std::string::npos) << unknown.err;
  fs::create_directories(folder_ / "empty");
  const Outcome empty =
      run({"quantize", model, "--calibrate", (folder_ / "empty").string(), "-o", (folder_ / "none.h5").string()});
  EXPECT_NE(empty.exit_code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "none.h5"));
}

TEST_F(Cli, MeasuresTheMachine) {
  const Json roofs = run_json({"roofline", "--threads", "1"});
  ASSERT_EQ(roofs.size(), 1U);
  EXPECT_GT(roofs[0].at("gflops"), 1);
  EXPECT_GT(roofs[0].at("read_gbs"), 0.1);
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
