// Model files: written, converted, quantised, profiled.
#include <array>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

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

TEST_F(Cli, FindsPublishedWeights) {
  const Json found = run_json({"models", "--search", "convnext", "--max-params", "30M", "--min-top1", "82"});
  ASSERT_GT(found.at("weights").size(), 5U);
  double before = 100;
  for (const Json& row : found.at("weights")) {
    EXPECT_NE(row.at("name").get<std::string>().find("convnext"), std::string::npos) << row;
    EXPECT_LE(row.at("parameters"), 30'000'000) << row;
    double best = 0;
    for (const Json& result : row.at("published")) best = std::max(best, result.at("top1").get<double>());
    EXPECT_GE(best, 82) << row;
    EXPECT_LE(best, before) << row;
    before = best;
    EXPECT_EQ(row.at("builds").get<bool>(), !row.contains("lacks")) << row;
  }
  const Json one = run_json({"models", "--search", "timm/resnet50.a1_in1k"}).at("weights");
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].at("builds"), true);
  EXPECT_EQ(one[0].at("test_image_size"), 288);
  EXPECT_EQ(one[0].at("licence"), "apache-2.0");
  const Outcome text = run({"models", "--search", "resnet50.a1_in1k"});
  EXPECT_NE(text.out.find("builds it"), std::string::npos) << text.out;
  EXPECT_EQ(run({"models", "--search", "resnet", "--max-params", "many"}).exit_code, 2);
  EXPECT_EQ(run({"models", "resnet50", "--search", "resnet"}).exit_code, 2);
  for (const char* share : {"nan", "-1", "101"}) {
    EXPECT_EQ(run({"models", "--search", "resnet", "--min-top1", share}).exit_code, 2) << share;
  }
  const Outcome unknown = run({"models", "timm/resnet50.b9_in1k"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("timm has no weights 'timm/resnet50.b9_in1k'"), std::string::npos) << unknown.err;
  const Outcome known = run({"models", "timm/resnet50.a1_in1k"});
  EXPECT_NE(known.out.find("resnet50.a1_in1k"), std::string::npos) << known.out;
  EXPECT_EQ(known.out.find("resnet50.a2_in1k"), std::string::npos) << known.out;
  const Outcome shown = run({"models", "resnet50"});
  EXPECT_NE(shown.out.find("residual blocks"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("[3,4,6,3]"), std::string::npos) << shown.out;
}

TEST_F(Cli, TakesPicturesOfOtherSizes) {
  const auto input = [&](const std::vector<std::string>& options) {
    std::vector<std::string> command{"inspect", "resnet18"};
    command.insert(command.end(), options.begin(), options.end());
    return run_json(command).at("input");
  };
  EXPECT_EQ(input({"--size", "train"}), Json({1, 224, 224, 3}));
  EXPECT_EQ(input({"--size", "test"}), Json({1, 288, 288, 3}));
  EXPECT_EQ(input({"--image-size", "96x160"}), Json({1, 96, 160, 3}));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--image-size", "0"},
                                                {"--image-size", "96x"},
                                                {"--image-size", "x96"},
                                                {"--image-size", "9999"},
                                                {"--size", "other"},
                                                {"--size", "test", "--image-size", "64"}}) {
    std::vector<std::string> command{"inspect", "resnet18"};
    command.insert(command.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(run(command).exit_code, 2) << wrong.back();
  }
  // Nobody says at what size these were trained.
  EXPECT_EQ(run({"inspect", "shapes-resnet", "--size", "test"}).exit_code, 2);
  const std::string picture = (kPictures / "png_rgb.png").string();
  const Json wide = run_json({"classify", picture, "--model", kVit, "--image-size", "96x160", "--logits"});
  EXPECT_EQ(wide.at("results")[0].at("logits").size(), 1000U);
  EXPECT_EQ(run({"classify", picture, "--model", kVit, "--image-size", "96x100"}).exit_code, 2);
}

// What is asked for reaches the network in every command, or is refused: it is never passed over.
TEST_F(Cli, TheSizeOfPicturesReachesTheNetwork) {
  const std::string picture = (kPictures / "png_rgb.png").string();
  const auto logits = [&](const std::string& size) {
    return run_json({"classify", picture, "--model", kResNet, "--size", size, "--logits"})
        .at("results")[0]
        .at("logits");
  };
  EXPECT_NE(logits("train"), logits("test"));
  const std::string data = data_set().string();
  for (const auto& [option, value, sides] : {std::tuple("--size", "test", Json(288)),
                                             {"--size", "train", Json(224)},
                                             {"--image-size", "96x160", Json({96, 160})}}) {
    const fs::path out = folder_ / (std::string("run") + value);
    ASSERT_EQ(run({"compare", "--data", data, "--model", kResNet, "--out", out.string(), option, value}).exit_code, 0);
    const Json record = Json::parse(read_file(out / "run.json"));
    EXPECT_EQ(record.at("models")[0].at("preprocess").at("crop"), sides) << value;
    EXPECT_EQ(record.at("models")[0].at("parameters").at("image_size"), sides) << value;
  }
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

}  // namespace
}  // namespace tessera::cli_test
