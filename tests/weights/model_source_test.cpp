// Models by what a user calls them.

#include "weights/model_source.h"

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class ModelSource : public ModelFile {
 protected:
  void SetUp() override {
    ModelFile::SetUp();
    ::setenv("TESSERA_HOME", folder_.c_str(), 1);
    fs::create_directories(installed_path("timm/tiny").parent_path());
    fs::copy_file(path_, installed_path("timm/tiny"));
  }
  void TearDown() override {
    ::unsetenv("TESSERA_HOME");
    ModelFile::TearDown();
  }
  static std::string failure(const std::string& name, ErrorKind kind) {
    try {
      load_model(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << name << " was opened";
    return "";
  }
};

TEST_F(ModelSource, FindsFilesAndInstalledNames) {
  EXPECT_EQ(installed_models(), std::vector<std::string>{"timm/tiny"});
  EXPECT_EQ(load_model("timm/tiny").card.name, "tiny");
  EXPECT_EQ(open_card("timm/tiny").sha256, load_model(path_.string()).card.sha256);
  EXPECT_EQ(open_card(path_.string()).name, "tiny");
}

TEST_F(ModelSource, IsNotMisledByAFolderOfTheSameName) {
  const fs::path before = fs::current_path();
  fs::create_directories(folder_ / "here" / "timm" / "tiny");
  fs::current_path(folder_ / "here");
  EXPECT_EQ(open_card("timm/tiny").name, "tiny");
  fs::current_path(before);
}

TEST_F(ModelSource, SaysWhatItTriedAndWhatIsNear) {
  EXPECT_NE(failure("timm/tinny", ErrorKind::kModelFile).find("did you mean 'timm/tiny'?"), std::string::npos);
  EXPECT_NE(failure("timm/tinny", ErrorKind::kModelFile).find(folder_.string()), std::string::npos);
  EXPECT_NE(failure("./none.h5", ErrorKind::kModelFile).find("./none.h5"), std::string::npos);
  EXPECT_NE(failure("seeded:resnet51", ErrorKind::kUsage).find("resnet50"), std::string::npos);
  failure("seeded:resnet50@x", ErrorKind::kUsage);
  failure("seeded:resnet50@1x", ErrorKind::kUsage);
  failure("seeded:resnet50@-1", ErrorKind::kUsage);
}

TEST_F(ModelSource, RefusesNamesThatLeaveTheHome) {
  for (const char* name : {"", "../tiny", "timm/../../tiny", "/etc/passwd"}) {
    EXPECT_THROW(installed_path(name), UsageError) << name;
  }
  failure("timm/../../../etc/passwd", ErrorKind::kModelFile);
}

// What is installed under a name is opened by that name; other names are refused before anything is written.
TEST_F(ModelSource, InstallsUnderNamesThatOpen) {
  for (const char* name : {"a", "timm/resnet50.a1_in1k", "größe", "a b", "x@7", "x,y", "a/.b"}) {
    fs::create_directories(installed_path(name).parent_path());
    fs::copy_file(path_, installed_path(name));
    EXPECT_EQ(open_card(name).name, "tiny") << name;
  }
  const std::string longest(200, 'x');
  EXPECT_NO_THROW(installed_path(longest));
  const std::string refused[] = {"..",          ".",      "x/",     "a//b", "a/./b",   "seeded:resnet18",
                                 "-x",          "x.h5",   ".x",     "a\nb", "\x1b[2J", "\xff\xfe",
                                 longest + "x", "a/../b", "caf\xe9"};
  for (const std::string& name : refused) EXPECT_THROW(installed_path(name), UsageError) << name;
}

TEST_F(ModelSource, HintsAtNothingThatFailsWhenTyped) {
  const std::string hub = failure("timm/resnet50.a1_in1k", ErrorKind::kModelFile);
  EXPECT_EQ(hub.find("seeded:timm"), std::string::npos) << hub;
  EXPECT_NE(hub.find("`seeded:resnet50`"), std::string::npos) << hub;
  EXPECT_NE(hub.find("--name timm/resnet50.a1_in1k"), std::string::npos) << hub;
  EXPECT_EQ(failure("google/vit", ErrorKind::kModelFile).find("seeded:"), std::string::npos);
  fs::create_directories(folder_ / "weights");
  EXPECT_NE(failure((folder_ / "weights").string(), ErrorKind::kModelFile).find("tessera convert"), std::string::npos);
  std::ofstream(folder_ / "model.safetensors") << "x";
  const std::string file = failure((folder_ / "model.safetensors").string(), ErrorKind::kModelFile);
  EXPECT_NE(file.find("tessera convert"), std::string::npos) << file;
  // A shell takes what has spaces in it for several words.
  EXPECT_NE(failure("my model", ErrorKind::kModelFile).find("--name 'my model'`"), std::string::npos);
  fs::create_directories(folder_ / "my weights");
  const std::string spaced = (folder_ / "my weights").string();
  EXPECT_NE(failure(spaced, ErrorKind::kModelFile).find("`tessera convert '" + spaced + "'`"), std::string::npos);
}

TEST_F(ModelSource, MakesSeededModels) {
  const LoadedModel model = load_model("seeded:vit_tiny_patch16_224@7", {.threads = 2});
  const ModelCard card = open_card("seeded:vit_tiny_patch16_224@7");
  EXPECT_EQ(card.name, "seeded:vit_tiny_patch16_224@7");
  EXPECT_EQ(card.sha256, model.card.sha256);
  EXPECT_TRUE(card.labels.is_imagenet() && model.card.labels.is_imagenet());
  EXPECT_EQ(open_card("seeded:vit_tiny_patch16_224").name, "seeded:vit_tiny_patch16_224@0");
}

TEST_F(ModelSource, OpensWhatItLoads) {
  for (const std::string& name : {path_.string(), std::string("seeded:vit_tiny_patch16_224@7")}) {
    const LoadedModel loaded = load_model(name);
    const OpenedModel opened = open_model(name, {.image_size = loaded.card.preprocess.output_size()});
    EXPECT_EQ(opened.card.sha256, loaded.card.sha256);
    for (const WeightSpec& spec : build_graph(opened.card.config).weight_specs()) {
      EXPECT_TRUE(std::ranges::equal(opened.weights->take(spec).values(), loaded.weights.at(spec.name).values()))
          << spec.name;
    }
  }
}

TEST_F(ModelSource, TakesPicturesOfAnotherSize) {
  const ModelCard card = open_card("seeded:vit_tiny_patch16_224", {.image_size = 160});
  EXPECT_EQ(card.config.parameters.at("image_size"), 160);
  EXPECT_EQ(card.preprocess.crop, 160);
  EXPECT_EQ(card.preprocess.resize, 248 * 160 / 224);
  EXPECT_THROW(open_card("seeded:vit_tiny_patch16_224", {.image_size = 0}), UsageError);
}

}  // namespace
}  // namespace tessera
