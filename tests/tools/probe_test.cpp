// tessera probe, and what is done with the model that it writes.
#include <set>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

constexpr const char* kDino = "seeded:vit_small_patch14_dinov2@1";

class CliProbe : public Cli {
 protected:
  // Drawn pictures of sixteen classes, in folders.
  fs::path shapes(int count = 96) const {
    const fs::path data = folder_ / "shapes";
    const Outcome outcome = run({"synth", "shapes", "--count", std::to_string(count), "-o", data.string()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return data;
  }
  std::vector<std::string> probe(const fs::path& data, const std::string& model, const std::string& out,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{
        "probe",        "--data", data.string(), "--model", model, "-o", (folder_ / out).string(),
        "--image-size", "64",     "--threads",   "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void corrupt(const fs::path& picture) const { std::ofstream(picture) << "no picture"; }
  // A picture of a class folder, the first by name.
  fs::path first_picture(const fs::path& folder) const {
    const std::set<fs::path> sorted(fs::directory_iterator(folder), fs::directory_iterator{});
    return *sorted.begin();
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.insert(entry.path().filename().string());
    return names;
  }
};

TEST_F(CliProbe, GivesAModelThatPredictsWhatTheReportSays) {
  const fs::path data = shapes();
  for (const char* model : {kResNet, kVit}) {
    const Json report = run_json(probe(data, model, "head.h5", {"--l2", "0.1"}));
    EXPECT_EQ(report.at("classes").size(), 16U);
    EXPECT_EQ(report.at("pictures"), 96);
    EXPECT_EQ(report.at("held_out").at("total"), 16);
    EXPECT_TRUE(report.at("converged").get<bool>());
    EXPECT_GT(report.at("train").at("accuracy").get<double>(), 0.5) << "a head must do better than chance";
    const fs::path result = folder_ / "run";
    fs::remove_all(result);
    const Json compared = run_json({"compare", "--data", data.string(), "--model", (folder_ / "head.h5").string(),
                                    "--out", result.string(), "--warmup", "0"});
    EXPECT_EQ(compared.at("models").at(0).at("top1"), report.at("train").at("correct")) << model;
    fs::remove(folder_ / "head.features.h5");
  }
}

TEST_F(CliProbe, TheModelIsOneLikeAnyOther) {
  const fs::path data = shapes();
  ASSERT_EQ(run(probe(data, kDino, "head.h5", {"--image-size", "56"})).exit_code, 2) << "--image-size twice";
  const Outcome made = run({"probe", "--data", data.string(), "--model", kDino, "-o", (folder_ / "head.h5").string(),
                            "--image-size", "56", "--name", "my shapes"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(made.out.find("16 classes on 384 features of pictures of 56"), std::string::npos) << made.out;
  const std::string head = (folder_ / "head.h5").string();
  const fs::path disc = first_picture(data / "disc");
  const Json classified = run_json({"classify", disc.string(), "--model", head});
  EXPECT_EQ(classified.at("results").at(0).at("model"), "my shapes");
  const std::string label = classified.at("results").at(0).at("top").at(0).at("label");
  EXPECT_TRUE(fs::is_directory(data / label)) << label;
  EXPECT_EQ(run({"inspect", head}).exit_code, 0);
  // A second probe replaces the head; the features are the network's, not the first head's.
  const Json again = run_json({"probe", "--data", data.string(), "--model", head, "-o", (folder_ / "two.h5").string()});
  EXPECT_EQ(again.at("features").at("width"), 384);
  EXPECT_EQ(again.at("features").at("image_size"), 56);
  // Its weights are checked when it is loaded.
  std::string bytes = read_file(head);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(folder_ / "bad.h5", std::ios::binary) << bytes;
  EXPECT_EQ(run({"classify", disc.string(), "--model", (folder_ / "bad.h5").string()}).exit_code, 4);
}

TEST_F(CliProbe, GivesTheSameHeadForAnyThreadsAndBatch) {
  const fs::path data = shapes();
  const Json one = run_json({"probe", "--data", data.string(), "--model", kResNet, "-o", (folder_ / "a.h5").string(),
                             "--image-size", "64", "--threads", "1", "--batch", "1"});
  const Json more = run_json({"probe", "--data", data.string(), "--model", kResNet, "-o", (folder_ / "b.h5").string(),
                              "--image-size", "64", "--threads", "3", "--batch", "7"});
  EXPECT_FALSE(more.at("features").at("from_cache").get<bool>());
  EXPECT_EQ(one.at("sha256"), more.at("sha256"));
  const Json other = run_json(probe(data, kResNet, "c.h5", {"--seed", "2"}));
  EXPECT_NE(other.at("held_out").at("log_loss"), one.at("held_out").at("log_loss"));
}

TEST_F(CliProbe, TakesFeaturesFromTheirFileOnlyWhenTheyAreTheSame) {
  const fs::path data = shapes();
  const Json first = run_json(probe(data, kResNet, "head.h5"));
  EXPECT_FALSE(first.at("features").at("from_cache").get<bool>());
  const Json second = run_json(probe(data, kResNet, "head.h5"));
  EXPECT_TRUE(second.at("features").at("from_cache").get<bool>());
  EXPECT_EQ(second.at("sha256"), first.at("sha256"));

  // Beside the output they are made anew, with a line that says why.
  const std::vector<std::string> other = probe(data, kResNet, "head.h5", {"--dtype", "bf16"});
  const Outcome anew = run(other);
  EXPECT_EQ(anew.exit_code, 0) << anew.err;
  EXPECT_NE(anew.err.find("made anew: dtype is \"f32\" there and \"bf16\" here"), std::string::npos) << anew.err;
  // A file that was named is not overwritten.
  const std::string named = (folder_ / "head.features.h5").string();
  const std::string before = read_file(named);
  const Outcome refused = run(probe(data, kResNet, "head.h5", {"--features", named}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("dtype is \"bf16\" there and \"f32\" here"), std::string::npos) << refused.err;
  EXPECT_EQ(read_file(named), before);
  // Nor are the features of pictures taken that have changed since, or of other weights.
  const std::vector<std::string> bf16{"--dtype", "bf16", "--features", named};
  EXPECT_EQ(run(probe(data, "seeded:resnet18@2", "head.h5", bf16)).exit_code, 2);
  EXPECT_EQ(run(probe(data, kResNet, "head.h5", bf16)).exit_code, 0);
  fs::copy_file(first_picture(data / "disc"), first_picture(data / "ring"), fs::copy_options::overwrite_existing);
  const Outcome changed = run(probe(data, kResNet, "head.h5", bf16));
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_NE(changed.err.find("pictures_sha256"), std::string::npos) << changed.err;
}

TEST_F(CliProbe, RefusesAFileOfFeaturesThatIsDamagedOrNone) {
  const fs::path data = shapes();
  const fs::path file = folder_ / "features.h5";
  const std::vector<std::string> features{"--features", file.string()};
  ASSERT_EQ(run(probe(data, kResNet, "head.h5", features)).exit_code, 0);
  const std::string whole = read_file(file);
  std::string bytes = whole;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  for (const std::string& damaged : {bytes, whole.substr(0, whole.size() / 2), std::string("text"), std::string()}) {
    std::ofstream(file, std::ios::binary) << damaged;
    const Outcome outcome = run(probe(data, kResNet, "head.h5", features));
    EXPECT_EQ(outcome.exit_code, 2) << damaged.size();
    EXPECT_NE(outcome.err.find("features.h5: cannot be used here"), std::string::npos) << outcome.err;
  }
}

TEST_F(CliProbe, CountsAndNamesPicturesThatCannotBeRead) {
  const fs::path data = shapes();
  const fs::path bad = first_picture(data / "disc");
  corrupt(bad);
  for (const char* from : {"pictures", "the file of features"}) {
    const Outcome outcome = run(probe(data, kResNet, "head.h5"));
    EXPECT_EQ(outcome.exit_code, 3) << from;
    EXPECT_NE(outcome.err.find(bad.string()), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.out.find("95, and 1 that could not be read"), std::string::npos) << outcome.out;
  }
  EXPECT_EQ(run(probe(data, kResNet, "head.h5", {"--max-errors", "1"})).exit_code, 0);
  // A class of which nothing is left has no place in a head.
  for (const auto& picture : fs::directory_iterator(data / "disc")) corrupt(picture.path());
  const Outcome outcome = run(probe(data, kResNet, "other.h5", {"--max-errors", "100"}));
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("no picture of the class 'disc' could be read"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "other.h5"));
}

TEST_F(CliProbe, TakesAClassWithASinglePictureAndRefusesASingleClass) {
  const fs::path data = shapes();
  fs::create_directories(data / "alone");
  fs::copy_file(first_picture(data / "disc"), data / "alone" / "one.png");
  const Outcome outcome = run(probe(data, kResNet, "head.h5"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("'alone' has one picture only"), std::string::npos) << outcome.err;

  const fs::path one = folder_ / "one";
  fs::create_directories(one);
  fs::copy(data / "disc", one / "disc");
  const Outcome single = run(probe(one, kResNet, "single.h5"));
  EXPECT_EQ(single.exit_code, 3);
  EXPECT_NE(single.err.find("one class only (disc)"), std::string::npos) << single.err;
  EXPECT_FALSE(fs::exists(folder_ / "single.features.h5"));
  // Of nothing but single pictures none can be held out; with --l2 none need be.
  fs::create_directories(one / "ring");
  fs::remove_all(one / "disc");
  fs::create_directories(one / "disc");
  fs::copy_file(first_picture(data / "disc"), one / "disc" / "a.png");
  fs::copy_file(first_picture(data / "ring"), one / "ring" / "a.png");
  EXPECT_EQ(run(probe(one, kResNet, "pair.h5")).exit_code, 3);
  EXPECT_EQ(run(probe(one, kResNet, "pair.h5", {"--l2", "1"})).exit_code, 0);
}

TEST_F(CliProbe, TakesListsLabelsAndSoManyOfEachClass) {
  const fs::path data = shapes();
  std::ofstream list(folder_ / "list.csv");
  list << "path,label\n";
  for (const char* shape : {"disc", "ring"}) {
    for (const auto& picture : fs::directory_iterator(data / shape))
      list << picture.path().string() << ',' << shape << '\n';
  }
  list.close();
  const Json listed = run_json(probe(folder_ / "list.csv", kResNet, "list.h5"));
  EXPECT_EQ(listed.at("classes"), Json({"disc", "ring"}));
  const Json compared =
      run_json({"compare", "--data", (folder_ / "list.csv").string(), "--model", (folder_ / "list.h5").string(),
                "--out", (folder_ / "run").string(), "--warmup", "0"});
  EXPECT_EQ(compared.at("models").at(0).at("top1"), listed.at("train").at("correct"));

  std::ofstream(folder_ / "labels.json") << R"({"disc": 1, "ring": 1, "square": 0})";
  const Json labelled =
      run_json(probe(data, kResNet, "labels.h5", {"--labels", (folder_ / "labels.json").string(), "--per-class", "5"}));
  EXPECT_EQ(labelled.at("classes"), Json({"square", "disc"}));
  EXPECT_EQ(labelled.at("pictures"), 10);
  EXPECT_FALSE(labelled.at("notes").empty()) << "folders without a label are named";
}

// Two heads whose classes are in another order are compared by name, and no list but a model's own says what it knows.
TEST_F(CliProbe, ClassesOfModelsAreMatchedByName) {
  const fs::path data = shapes(320);
  std::ofstream(folder_ / "up.json") << R"({"disc": 0, "heart": 1, "cross": 2})";
  std::ofstream(folder_ / "down.json") << R"({"disc": 2, "heart": 1, "cross": 0})";
  for (const char* head : {"up", "down"}) {
    const std::string labels = (folder_ / (std::string(head) + ".json")).string();
    ASSERT_EQ(run(probe(data, kResNet, std::string(head) + ".h5", {"--labels", labels, "--l2", "0.1"})).exit_code, 0);
  }
  const auto compare = [&](const std::vector<std::string>& more, const std::string& out) {
    std::vector<std::string> arguments{"compare", "--warmup", "0", "--out", (folder_ / out).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::string up = (folder_ / "up.h5").string(), down = (folder_ / "down.h5").string();
  const Json both = run_json(compare({"--data", data.string(), "--model", up, "--model", down}, "both"));
  EXPECT_EQ(both.at("pictures"), 60);
  EXPECT_GT(both.at("models").at(0).at("top1"), 30);
  EXPECT_GE(both.at("pairs").at(0).at("same_prediction"), 58);  // two fits of one head
  const Json record = Json::parse(read_file(folder_ / "both" / "run.json"));
  EXPECT_EQ(record.at("models").at(1).at("class_order"), "mapped by name");
  EXPECT_NE(record.at("notes").at(0).get<std::string>().find("in another order"), std::string::npos);

  const Outcome wnids = run(compare({"--data", data_set().string(), "--model", up}, "wnids"));
  EXPECT_EQ(wnids.exit_code, 3);
  EXPECT_NE(wnids.err.find("('disc', 'heart', 'cross')"), std::string::npos) << wnids.err;
  EXPECT_NE(wnids.err.find("no class is known for n01440764"), std::string::npos) << wnids.err;
  const Outcome others = run(compare({"--data", data.string(), "--model", up, "--model", kResNet}, "others"));
  EXPECT_EQ(others.exit_code, 2);
  EXPECT_NE(others.err.find("has 1000 classes"), std::string::npos) << others.err;
  const Outcome labels =
      run(compare({"--data", data.string(), "--labels", (folder_ / "up.json").string(), "--model", down}, "labels"));
  EXPECT_EQ(labels.exit_code, 3);
  EXPECT_NE(labels.err.find("says that 'cross' is class 2, 'disc', but"), std::string::npos) << labels.err;
}

TEST_F(CliProbe, FoldersNamedByNumbersAreTheSameClassesInAList) {
  const fs::path data = shapes(320), numbered = folder_ / "numbered";
  std::ofstream list(folder_ / "list.csv");
  list << "path,label\n";
  int number = 0;
  for (const char* shape :
       {"disc", "ring", "square", "frame", "star", "cross", "heart", "arrow", "bar", "angle", "tee"}) {
    const fs::path folder = numbered / std::to_string(number);
    fs::create_directories(numbered);
    fs::copy(data / shape, folder);
    for (const auto& picture : fs::directory_iterator(folder)) list << picture.path().string() << ',' << number << '\n';
    ++number;
  }
  list.close();
  ASSERT_EQ(run(probe(numbered, kResNet, "head.h5", {"--l2", "0.01"})).exit_code, 0);
  const auto top1 = [&](const fs::path& from, const std::string& numbers) {
    const fs::path out = folder_ / ("run-" + numbers + from.stem().string());
    return run_json({"compare", "--data", from.string(), "--model", (folder_ / "head.h5").string(), "--out",
                     out.string(), "--label-numbers", numbers, "--warmup", "0"})
        .at("models")
        .at(0)
        .at("top1");
  };
  const Json by_folder = top1(numbered, "auto");
  EXPECT_GT(by_folder, 110);
  EXPECT_EQ(top1(folder_ / "list.csv", "names"), by_folder);
  EXPECT_LT(top1(folder_ / "list.csv", "indices"), by_folder.get<int>() / 2);
  const Outcome unsaid = run({"compare", "--data", (folder_ / "list.csv").string(), "--model",
                              (folder_ / "head.h5").string(), "--out", (folder_ / "unsaid").string()});
  EXPECT_EQ(unsaid.exit_code, 3);
  EXPECT_NE(unsaid.err.find("as a name it is class 2, '10', as an index class 10, '9'"), std::string::npos)
      << unsaid.err;
  EXPECT_FALSE(fs::exists(folder_ / "unsaid"));
}

TEST_F(CliProbe, RefusesOptionsThatCannotBeBeforeAnyWork) {
  const fs::path data = shapes(32);
  const std::string out = (folder_ / "head.h5").string();
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--holdout", "1"},
           {"--holdout", "-0.1"},
           {"--holdout", "0"},
           {"--l2", "0"},
           {"--l2", "-1"},
           {"--batch", "0"},
           {"--per-class", "-1"},
           {"--features", out},
           {"--features", (folder_ / "nowhere" / "f.h5").string()},
           {"--dtype", "f16"},
           {"--sed", "1"},
       }) {
    const Outcome outcome = run(probe(data, kResNet, "head.h5", wrong));
    EXPECT_EQ(outcome.exit_code, 2) << wrong[0] << ' ' << wrong[1] << ": " << outcome.err;
  }
  EXPECT_EQ(run(probe(data, kResNet, "nowhere/head.h5")).exit_code, 2);
  EXPECT_EQ(run(probe(folder_ / "nothing", kResNet, "head.h5")).exit_code, 3);
  EXPECT_EQ(run(probe(data, "seeded:resnet19", "head.h5")).exit_code, 2);
  EXPECT_EQ(run(probe(data, "seeded:vit_tiny_patch16_224@1", "head.h5", {"--preprocess", "x"})).exit_code, 2);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(fs::exists(folder_ / "head.features.h5"));
}

TEST_F(CliProbe, LeavesNothingWhenItIsInterrupted) {
  const fs::path data = shapes(640);
  const std::set<std::string> before = files();
  const pid_t child = start({"probe", "--data", data.string(), "--model", kResNet, "-o", (folder_ / "head.h5").string(),
                             "--device", "eigen", "--batch", "4", "--threads", "1"});
  while (read_file(folder_ / "err").find("Found 640 pictures") == std::string::npos) {
    ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << read_file(folder_ / "err");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(child, SIGINT);
  const Outcome outcome = wait(child);
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace tessera::cli_test
