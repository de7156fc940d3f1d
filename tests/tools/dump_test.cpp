// dump, diff and profile, as a user runs them.
#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

const std::string kPicture = (kPictures / "jpeg_444.jpg").string(), kOther = (kPictures / "png_rgb.png").string();

class Dump : public Cli {
 protected:
  std::string path(const char* name) const { return (folder_ / name).string(); }
  Outcome dump(const std::string& model, const char* file, std::vector<std::string> more) const {
    std::vector<std::string> arguments{"dump", model, "-o", path(file)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(Dump, OfTheFusedGraphEqualsThatOfTheRawOne) {
  const Outcome raw =
      dump(kResNet, "raw.h5", {"--image", kPicture, kOther, "--taps", "layer?.*.conv1", "--taps", "layer?"});
  ASSERT_EQ(raw.exit_code, 0) << raw.err;
  EXPECT_NE(raw.out.find("12 activations of 2 pictures, graph raw"), std::string::npos) << raw.out;
  EXPECT_EQ(raw.err, "");
  const Outcome fused =
      dump(kResNet, "fused.h5",
           {"--image", kPicture, kOther, "--taps", "layer?.*.conv1", "--taps", "layer?", "--graph", "fused"});
  ASSERT_EQ(fused.exit_code, 0) << fused.err;
  EXPECT_NE(fused.err.find("keep apart what 8 fused kernels would compute"), std::string::npos) << fused.err;
  EXPECT_NE(fused.err.find("layer1.0.conv1 | layer1.0.bn1 | layer1.0.act1"), std::string::npos) << fused.err;
  const Json equal = run_json({"diff", path("raw.h5"), path("fused.h5")});
  EXPECT_EQ(equal.at("equal"), true);
  EXPECT_EQ(equal.at("first_failure"), nullptr);
  ASSERT_EQ(equal.at("layers").size(), 14U);  // input and output, too
  EXPECT_EQ(equal.at("layers")[1].at("path"), "layer1.0.conv1");
  EXPECT_EQ(equal.at("layers")[1].at("shape"), Json({2, 56, 56, 64}));
  EXPECT_EQ(equal.at("layers")[1].at("layout"), "NHWC");
  EXPECT_EQ(equal.at("layers")[3].at("path"), "layer1");
  const Json kept = run_json({"dump", kResNet, "--image", kPicture, "--taps", "layer1*", "--graph", "fused",
                              "--keep-fusions", "-o", path("kept.h5")});
  EXPECT_EQ(kept.at("undone_fusions"), Json::array());
  EXPECT_EQ(kept.at("activations").size(), 7U) << kept.dump(1);  // of two blocks act1, act2 and the block; the stage
}

TEST_F(Dump, OfOtherWeightsDiffersAtTheFirstLayer) {
  ASSERT_EQ(dump(kVit, "first.h5", {"--image", kPicture}).exit_code, 0);
  ASSERT_EQ(dump("seeded:vit_tiny_patch16_224@2", "second.h5", {"--like", path("first.h5")}).exit_code, 0);
  const Outcome text = run({"diff", path("first.h5"), path("second.h5")});
  EXPECT_EQ(text.exit_code, 6);
  for (const char* part : {"The first layer that differs is patch_embed.proj: at n 0, t ", "DIFFERS, first", ", worst",
                           "What was compared before it agrees (1 of", "last input", "NOT equal."}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  const Outcome json = run({"diff", path("first.h5"), path("second.h5"), "--json"});
  EXPECT_EQ(json.exit_code, 6);
  const Json difference = Json::parse(json.out);
  EXPECT_EQ(difference.at("equal"), false);
  EXPECT_EQ(difference.at("first_failure").at("path"), "patch_embed.proj");
  EXPECT_EQ(difference.at("first_failure").at("worst_at").size(), 3U);
  EXPECT_LT(difference.at("first_failure").at("cosine"), 0.99);
  EXPECT_EQ(run({"diff", path("first.h5"), path("second.h5"), "--atol", "1e9"}).exit_code, 0);
  EXPECT_EQ(run({"diff", path("first.h5"), path("second.h5"), "--atol", "-1"}).exit_code, 2);
}

TEST_F(Dump, OfAnotherPictureDiffersInItsPixels) {
  ASSERT_EQ(dump(kVit, "first.h5", {"--image", kPicture, "--taps", "norm"}).exit_code, 0);
  ASSERT_EQ(dump(kVit, "second.h5", {"--image", kOther, "--taps", "norm"}).exit_code, 0);
  const Outcome outcome = run({"diff", path("first.h5"), path("second.h5")});
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_NE(outcome.out.find("The first layer that differs is input"), std::string::npos);
  EXPECT_NE(outcome.out.find("different pixels"), std::string::npos);
}

TEST_F(Dump, WithLayersThatOnlyOneHasIsEqualUnlessStrict) {
  ASSERT_EQ(dump(kVit, "all.h5", {"--image", kPicture, "--taps", "blocks.0.*"}).exit_code, 0);
  ASSERT_EQ(dump(kVit, "few.h5", {"--image", kPicture, "--taps", "blocks.0.mlp*", "--taps", "head"}).exit_code, 0);
  const Outcome outcome = run({"diff", path("all.h5"), path("few.h5")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out.find("all.h5 (8): blocks.0.norm1 blocks.0.attn.qkv"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("few.h5 (1): head"), std::string::npos) << outcome.out;
  const Outcome strict = run({"diff", path("all.h5"), path("few.h5"), "--strict"});
  EXPECT_EQ(strict.exit_code, 6);
  EXPECT_NE(strict.out.find("some layers are in one of them only"), std::string::npos);
}

TEST_F(Dump, IsHeldAgainstByVerifyAsAReferenceFileIs) {
  ASSERT_EQ(dump(kVit, "dump.h5", {"--image", kPicture, "--device", "eigen"}).exit_code, 0);
  EXPECT_EQ(run({"verify", kVit, "--reference", path("dump.h5")}).exit_code, 0);
  EXPECT_EQ(run({"verify", "seeded:vit_tiny_patch16_224@2", "--reference", path("dump.h5")}).exit_code, 6);
  const std::string reference = TESSERA_TEST_DATA "/models/vit_tiny_patch16.h5";
  ASSERT_EQ(dump(kVit, "like.h5", {"--like", reference}).exit_code, 0);
  EXPECT_EQ(run({"diff", reference, path("like.h5")}).exit_code, 0);
}

TEST_F(Dump, WritesNumpyFilesInTheOrderOfExecution) {
  ASSERT_EQ(
      dump(kVit, "folder", {"--format", "npy", "--image", kPicture, kOther, "--taps", "blocks.1.attn*"}).exit_code, 0);
  const Json index = Json::parse(read_file(folder_ / "folder" / "index.json"));
  ASSERT_EQ(index.at("activations").size(), 4U);
  EXPECT_EQ(index.at("activations")[0].at("file"), "000_blocks.1.attn.qkv.npy");
  EXPECT_EQ(index.at("activations")[3].at("path"), "blocks.1.attn");
  const std::string npy = read_file(folder_ / "folder" / "000_blocks.1.attn.qkv.npy");
  ASSERT_GT(npy.size(), 128U);
  EXPECT_EQ(npy.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t header =
      10 + static_cast<unsigned char>(npy[8]) + 256 * static_cast<std::size_t>(static_cast<unsigned char>(npy[9]));
  EXPECT_EQ(header % 64, 0U);
  EXPECT_EQ(npy[header - 1], '\n');
  EXPECT_NE(npy.find("'descr': '<f4', 'fortran_order': False, 'shape': (2, 197, 576, )"), std::string::npos);
  EXPECT_EQ(npy.size(), header + 2 * 197 * 576 * 4);

  ASSERT_EQ(dump(kVit, "one.npy", {"--image", kPicture, kOther, "--taps", "blocks.1.attn.qkv"}).exit_code, 0);
  EXPECT_EQ(read_file(folder_ / "one.npy"), npy);
  const Outcome two = dump(kVit, "two.npy", {"--image", kPicture, "--taps", "norm", "--taps", "head"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_NE(two.err.find("match 2 layers, a .npy file holds one"), std::string::npos) << two.err;
  EXPECT_FALSE(fs::exists(folder_ / "two.npy"));
}

TEST_F(Dump, SaysWhatIsWrongAndLeavesNothing) {
  const auto expect = [&](const std::vector<std::string>& more, int exit_code, const char* part) {
    const Outcome outcome = dump(kVit, "x.h5", more);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "x.h5"));
  };
  expect({}, 2, "give either --image or --like");
  expect({"--image", kPicture, "--like", kPicture}, 2, "give either");
  expect({"--image", path("nothing.jpg")}, 3, "nothing.jpg");
  expect({"--like", path("nothing.h5")}, 4, "nothing.h5");
  expect({"--image", kPicture, "--taps", "blocks.99.*"}, 2, "no layer is called 'blocks.99.*'");
  expect({"--image", kPicture, "--graph", "cooked"}, 2, "--graph");
  expect({"--image", kPicture, "--graph", "fused", "--keep-fusions", "--taps", "blocks.0.mlp.fc1"}, 2,
         "parts of fusions");
  expect({"--like", TESSERA_TEST_DATA "/models/resnet18.h5"}, 2, "has no layer of this model");
  const Outcome nowhere = run({"dump", kVit, "--image", kPicture, "-o", path("missing/x.h5")});
  EXPECT_EQ(nowhere.exit_code, 5) << nowhere.err;
  const Outcome what = run({"dump", kVit, "--image", kPicture, "-o", path("x.bin")});
  EXPECT_EQ(what.exit_code, 2);
  EXPECT_NE(what.err.find("--format"), std::string::npos) << what.err;
  std::ofstream(path("text.h5")) << "no dump";
  EXPECT_EQ(run({"diff", path("text.h5"), path("text.h5")}).exit_code, 4);
}

TEST_F(Dump, AFullDiskLeavesNoFile) {
  const std::vector<std::string> arguments{"dump", kVit, "--image", kPicture, "-o", path("x.h5")};
  const Outcome outcome = wait(start(arguments, RLIMIT_FSIZE, 1 << 20));
  EXPECT_EQ(outcome.exit_code, 5) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "x.h5"));
}

TEST_F(Dump, ProfileGroupsAndWritesFiles) {
  const Json profile = run_json({"profile", kResNet, "--runs", "4", "--threads", "2", "--csv", path("p.csv"), "--html",
                                 path("p.html"), "--trace", path("t.json")});
  for (const char* groups : {"types", "stages", "blocks"}) {
    std::size_t nodes = 0;
    double share = 0;
    for (const Json& group : profile.at(groups)) {
      nodes += group.at("nodes").get<std::size_t>();
      share += group.at("share").get<double>();
    }
    EXPECT_EQ(nodes, profile.at("layers").size()) << groups;
    EXPECT_NEAR(share, 1, 1e-9) << groups;
  }
  EXPECT_EQ(profile.at("stages")[2].at("name"), "layer1");
  EXPECT_EQ(profile.at("blocks")[2].at("name"), "layer1.0");
  EXPECT_GT(profile.at("gap_us"), 0);
  EXPECT_LT(profile.at("gap_us"), profile.at("run_us").at("median"));
  const std::string csv = read_file(folder_ / "p.csv");
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(csv, '\n')), profile.at("layers").size() + 1);
  EXPECT_NE(read_file(folder_ / "p.html").find("Content-Security-Policy"), std::string::npos);
  EXPECT_GT(Json::parse(read_file(folder_ / "t.json")).at("traceEvents").size(), 4 * profile.at("layers").size());
  const Outcome blocks = run({"profile", kResNet, "--runs", "2", "--by", "block"});
  EXPECT_NE(blocks.out.find("layer4.1"), std::string::npos) << blocks.out;
  EXPECT_NE(blocks.out.find("Cost of profiling"), std::string::npos) << blocks.out;
  EXPECT_EQ(run({"profile", kResNet, "--by", "colour"}).exit_code, 2);
}

TEST_F(Dump, ProfileComparesModelsAndSettingsLineByLine) {
  const Json settings =
      run_json({"profile", kResNet, "--runs", "2", "--dtype", "f32,bf16", "--batch", "1,2", "--by", "stage"});
  ASSERT_EQ(settings.at("profiles").size(), 4U);
  EXPECT_EQ(settings.at("profiles")[3].at("dtype"), "bf16");
  EXPECT_EQ(settings.at("profiles")[3].at("batch"), 2);
  for (const Json& line : settings.at("comparison").at("lines")) {
    EXPECT_EQ(line.at("ratio")[0], 1.0);
    ASSERT_EQ(line.at("median_us").size(), 4U);
    EXPECT_NEAR(line.at("ratio")[2], line.at("median_us")[2].get<double>() / line.at("median_us")[0].get<double>(),
                1e-9);
  }
  const Outcome models = run({"profile", kResNet, kVit, "--runs", "2", "--by", "type", "--threads", "1"});
  EXPECT_EQ(models.exit_code, 0) << models.err;
  for (const char* part :
       {"[1] seeded:resnet18@1, f32, 1 thread, batch 1", "[2] seeded:vit_tiny", "Conv2d", "Attention", "Ratio"}) {
    EXPECT_NE(models.out.find(part), std::string::npos) << part << "\n" << models.out;
  }
}

}  // namespace
}  // namespace tessera::cli_test
