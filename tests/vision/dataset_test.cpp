#include "vision/dataset.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class DatasetTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("tessera-dataset-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string message_of(const fs::path& path, const DatasetOptions& options) {
    try {
      open_dataset(path, options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  fs::path root_;
};

TEST_F(DatasetTest, ListsFoldersByWnidSortedAndNamesUnknownOnes) {
  for (const char* file : {"n15075141/b.JPEG", "n01440764/z.jpg", "n01440764/a.PNG", "n01440764/notes.txt",
                           "unknown/c.jpg", "unknown/d.jpg", "stray.jpg"}) {
    put(file);
  }
  const Dataset found = open_dataset(root_, {});
  ASSERT_EQ(found.samples.size(), 3U);
  EXPECT_EQ(found.samples[0].name, "a.PNG");
  EXPECT_EQ(found.samples[0].label, 0);
  EXPECT_EQ(found.samples[1].name, "z.jpg");
  EXPECT_EQ(found.samples[2].label, 999);
  EXPECT_EQ(found.samples[2].folder, "n15075141");
  ASSERT_EQ(found.notes.size(), 4U);
  EXPECT_NE(found.notes[0].find("1 file(s) left out, which are no pictures: n01440764/notes.txt"), std::string::npos);
  EXPECT_EQ(found.notes[1], "The models' 1000 classes have no names; they are taken for ImageNet's");
  EXPECT_NE(found.notes[2].find("2 picture(s) in 1 folder(s)"), std::string::npos) << found.notes[2];
  EXPECT_NE(found.notes[2].find("unknown"), std::string::npos);
  EXPECT_EQ(open_dataset(root_, {.limit = 2}).samples.size(), 2U);
}

TEST_F(DatasetTest, TakesLabelsForFoldersFromJsonAndCsv) {
  put("data/cat/1.png");
  put("data/dog/2.png");
  put("labels.json", R"({"cat": 3, "dog": 1})");
  put("labels.csv", "folder,index\ncat,3\r\ndog,1\n");
  for (const char* labels : {"labels.json", "labels.csv"}) {
    const Dataset found = open_dataset(root_ / "data", {.labels = root_ / labels, .classes = 4});
    ASSERT_EQ(found.samples.size(), 2U);
    EXPECT_EQ(found.samples[0].label, 3);
    EXPECT_EQ(found.samples[1].label, 1);
  }
  // A label file that lacks a folder leaves it out and says so.
  put("short.csv", "cat,3\n");
  const Dataset some = open_dataset(root_ / "data", {.labels = root_ / "short.csv", .classes = 4});
  EXPECT_EQ(some.samples.size(), 1U);
  EXPECT_EQ(some.notes.size(), 1U);
}

TEST_F(DatasetTest, ReadsListsRelativeToThemselves) {
  put("list.csv", "path,label\na/1.jpg,stingray\n\"b, c/2.jpg\",n15075141\n/abs/3.jpg,\"tench, Tinca tinca\"\n");
  const Dataset found = open_dataset(root_ / "list.csv", {});
  ASSERT_EQ(found.samples.size(), 3U);
  EXPECT_EQ(found.samples[0].path, root_ / "a/1.jpg");
  EXPECT_EQ(found.samples[0].label, 6);
  EXPECT_EQ(found.samples[1].label, 999);
  EXPECT_EQ(found.samples[1].path, root_ / "b, c/2.jpg");
  EXPECT_EQ(found.samples[2].path, "/abs/3.jpg");
  EXPECT_EQ(found.samples[2].label, 0);
}

// The models' classes are their own: ImageNet's indices are no one else's, and a label is a class by its name.
TEST_F(DatasetTest, FindsClassesByTheirNamesOnly) {
  const std::vector<std::string> shapes{"disc", "ring", "goldfish"};
  put("wnids/n01440764/a.jpg");
  put("wnids/n01484850/b.jpg");
  const std::string refusal = message_of(root_ / "wnids", {.class_names = shapes, .classes = 3});
  EXPECT_NE(refusal.find("('disc', 'ring', 'goldfish')"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("n01440764, n01484850"), std::string::npos) << refusal;
  EXPECT_NE(message_of(root_ / "wnids", {.classes = 3}), "") << "a model without names has no wnids";
  put("wnids/n01443537/c.jpg");
  const Dataset fish = open_dataset(root_ / "wnids", {.class_names = shapes, .classes = 3});
  ASSERT_EQ(fish.samples.size(), 1U);
  EXPECT_EQ(fish.samples[0].label, 2);

  put("cranes/crane/a.jpg");
  const std::string cranes = message_of(root_ / "cranes", {});
  EXPECT_NE(cranes.find("'crane' may be class 134, 'crane' (n02012849) or class 517, 'crane' (n03126707)"),
            std::string::npos)
      << cranes;
  put("cased/Ring/a.jpg");
  EXPECT_NE(message_of(root_ / "cased", {.class_names = shapes, .classes = 3}).find("did you mean 'ring'?"),
            std::string::npos);
}

TEST_F(DatasetTest, TakesNumbersInListsForIndicesWhereThatIsSaid) {
  const DatasetOptions own{.class_names = {"disc", "ring"}, .classes = 2};
  DatasetOptions indices = own;
  indices.label_numbers = LabelNumbers::kIndices;
  put("list.csv", "path,label\na.jpg,1\n");
  EXPECT_NE(message_of(root_ / "list.csv", own)
                .find("--label-numbers indices takes them for indices, 1 for class 1, "
                      "'ring'"),
            std::string::npos)
      << message_of(root_ / "list.csv", own);
  EXPECT_EQ(open_dataset(root_ / "list.csv", indices).samples[0].label, 1);
  put("index.csv", "path,class_index\na.jpg,1\n");
  EXPECT_EQ(open_dataset(root_ / "index.csv", own).samples[0].label, 1);
  put("flat/a.jpg");
  put("truth.txt", "a.jpg 1\n");
  put("names.txt", "a.jpg ring\n");
  put("wnid.txt", "a.jpg n01443537\n");
  for (const char* file : {"truth.txt", "names.txt"}) {
    DatasetOptions truth = own;
    truth.ground_truth = root_ / file;
    EXPECT_EQ(open_dataset(root_ / "flat", truth).samples[0].label, 1) << file;
  }
  DatasetOptions wnid = own;
  wnid.ground_truth = root_ / "wnid.txt";
  EXPECT_NE(message_of(root_ / "flat", wnid).find("wnid.txt:1"), std::string::npos);
}

TEST_F(DatasetTest, RefusesALabelFileThatGivesAClassAnothersName) {
  put("data/disc/1.png");
  put("data/other/2.png");
  put("labels.csv", "disc,1\nother,0\n");
  const std::string refusal =
      message_of(root_ / "data", {.labels = root_ / "labels.csv", .class_names = {"disc", "ring"}, .classes = 2});
  EXPECT_NE(refusal.find("says that 'disc' is class 1, 'ring', but the models' class of that name is 0, 'disc'"),
            std::string::npos)
      << refusal;
}

TEST_F(DatasetTest, RefusesBadListsNamingTheLine) {
  put("columns.csv", "a.jpg,1\nb.jpg\n");
  EXPECT_NE(message_of(root_ / "columns.csv", {}).find("columns.csv: row 2"), std::string::npos);
  put("word.csv", "a.jpg,1\nb.jpg,seven\n");
  EXPECT_NE(message_of(root_ / "word.csv", {}).find("word.csv: row 2"), std::string::npos);
  put("range.csv", "path,index\na.jpg,1000\n");
  EXPECT_NE(message_of(root_ / "range.csv", {}).find("class 1000 is out of range"), std::string::npos);
  put("negative.csv", "path,index\na.jpg,-1\n");
  EXPECT_NE(message_of(root_ / "negative.csv", {}).find("out of range"), std::string::npos);
}

TEST_F(DatasetTest, TakesAPictureInTheFirstLineForNoHeader) {
  put("first.csv", "a.jpg,seven\nb.jpg,1\n");
  EXPECT_NE(message_of(root_ / "first.csv", {}).find("first.csv: row 1"), std::string::npos);
  put("mark.csv",
      "\xEF\xBB\xBF"
      "a.jpg,1\nb.jpg,2\n");
  EXPECT_EQ(open_dataset(root_ / "mark.csv", {}).samples.size(), 2U);
}

TEST_F(DatasetTest, DropsNoFirstRowThatIsNoHeader) {
  put("list.csv", "a,cat\nb.jpg,7\n");
  EXPECT_NE(message_of(root_ / "list.csv", {}).find("row 1: 'cat' is no class of"), std::string::npos);
  put("labels.csv", "cat,one\ndog,1\n");
  EXPECT_NE(message_of(root_ / "list.csv", {.labels = root_ / "labels.csv"}).find("labels.csv: row 1"),
            std::string::npos);
  put("classes.csv", "a,cat\nb,dog\n");  // names without endings are pictures of a list all the same
  EXPECT_EQ(classes_of_data(root_ / "classes.csv", {}), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(list_pictures(root_ / "classes.csv").size(), 2U);
}

TEST_F(DatasetTest, APictureOfAListIsOfOneClass) {
  put("list.csv", "path,label\na.jpg,n01440764\nb.jpg,n01443537\n./a.jpg,n01443537\n");
  EXPECT_NE(message_of(root_ / "list.csv", {}).find("row 4: './a.jpg' is of the class 'n01443537', but in row 2 of"),
            std::string::npos)
      << message_of(root_ / "list.csv", {});
  put("list.csv", "path,label\na.jpg,n01440764\na.jpg,tench\n");  // the same class by another name
  const Dataset found = open_dataset(root_ / "list.csv", {});
  EXPECT_EQ(found.samples.size(), 2U);
  EXPECT_NE(found.notes.back().find("1 row(s) name a picture again (a.jpg)"), std::string::npos) << found.notes.back();
}

TEST_F(DatasetTest, SuggestsNoNameForANumber) {
  put("data/7/a.jpg");
  const std::string message = message_of(root_ / "data", {});
  EXPECT_NE(message.find("no class is known for 7; --labels FILE says what a number means"), std::string::npos)
      << message;
  put("wnids/N01440764/a.jpg");
  EXPECT_NE(message_of(root_ / "wnids", {}).find("did you mean 'n01440764'?"), std::string::npos);
}

TEST_F(DatasetTest, ReadsListsAsSpreadsheetsAndPandasWriteThem) {
  for (const char* text : {"path;label\na.jpg;3\n\"b;c.jpg\";4\n", "Path\tLabel\na.jpg\t3.0\nb;c.jpg\t4.0\n",
                           ",path,label\n0,a.jpg,3\n1,b;c.jpg,4\n", "path,label\na.jpg, 3\nb;c.jpg,4\n"}) {
    put("list.csv", text);
    const Dataset found = open_dataset(root_ / "list.csv", {});
    ASSERT_EQ(found.samples.size(), 2U) << text;
    EXPECT_EQ(found.samples[0].label, 3) << text;
    EXPECT_EQ(found.samples[1].name, "b;c.jpg") << text;
  }
  put("empty.csv", "path,label\na.jpg,\n");
  EXPECT_NE(message_of(root_ / "empty.csv", {}).find("row 2"), std::string::npos);
}

TEST_F(DatasetTest, FindsNamesThatAreNoTextByTheirEscapes) {
  put("M\xFC"
      "cke.jpg");
  put("list.csv",
      "M\\xFC"
      "cke.jpg,1\nplain.jpg,2\n");
  EXPECT_EQ(open_dataset(root_ / "list.csv", {}).samples[0].path, root_ /
                                                                      "M\xFC"
                                                                      "cke.jpg");
}

TEST_F(DatasetTest, RefusesAPipeForAListWithoutWaiting) {
  ASSERT_EQ(::mkfifo((root_ / "pipe.csv").c_str(), 0600), 0);
  EXPECT_NE(message_of(root_ / "pipe.csv", {}).find("regular"), std::string::npos);
}

TEST_F(DatasetTest, ListsPicturesThatCannotBeReadSoThatTheRunReportsThem) {
  put("n01440764/a.jpg");
  fs::create_symlink("loop.jpg", root_ / "n01440764" / "loop.jpg");
  ASSERT_EQ(::mkfifo((root_ / "n01440764" / "pipe.jpg").c_str(), 0600), 0);
  EXPECT_EQ(open_dataset(root_, {}).samples.size(), 3U);
}

TEST_F(DatasetTest, RefusesBadLabelFiles) {
  put("data/cat/1.png");
  const std::pair<const char*, const char*> bad[] = {{"array.json", "[1]"},
                                                     {"text.json", R"({"cat": "three"})"},
                                                     {"broken.json", "{"},
                                                     {"range.json", R"({"cat": 4})"},
                                                     {"wrapped.json", R"({"cat": 4294967296})"},
                                                     {"twice.csv", "cat,1\ncat,2\n"},
                                                     {"none.csv", ""}};
  for (const auto& [name, text] : bad) {
    put(name, text);
    EXPECT_NE(message_of(root_ / "data", {.labels = root_ / name, .classes = 4}).find(name), std::string::npos) << name;
  }
}

TEST_F(DatasetTest, RefusesFoldersWithoutPictures) {
  EXPECT_NE(message_of(root_, {}).find("no labelled pictures"), std::string::npos);
  EXPECT_NE(message_of(root_ / "missing", {}).find("no such file or folder"), std::string::npos);
}

TEST_F(DatasetTest, DoesNotHangOnALoopOfLinks) {
  put("n01440764/a.jpg");
  fs::create_directory_symlink(root_, root_ / "n01440764" / "loop");
  EXPECT_EQ(open_dataset(root_, {}).samples.size(), 1U);
}

TEST_F(DatasetTest, HasTheClassesThatItNamesItself) {
  for (const char* file :
       {"set/cat/1.png", "set/ape/2.png", "set/n01440764/3.png", "set/stray.png", "set/none/a.txt"}) {
    put(file);
  }
  const std::vector<std::string> classes = classes_of_data(root_ / "set", {});
  EXPECT_EQ(classes, (std::vector<std::string>{"ape", "cat", "n01440764"}));
  const Dataset found = open_dataset(root_ / "set", {.class_names = classes, .classes = 3});
  ASSERT_EQ(found.samples.size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(found.samples[static_cast<std::size_t>(i)].label, i);

  put("labels.csv", "cat,1\nn01440764,0\nape,1\n");
  EXPECT_EQ(classes_of_data(root_ / "set", root_ / "labels.csv"), (std::vector<std::string>{"n01440764", "ape"}));
  put("gap.csv", "cat,2\nape,0\n");
  EXPECT_THROW(classes_of_data(root_ / "set", root_ / "gap.csv"), InputError);
  EXPECT_THROW(classes_of_data(root_ / "set" / "cat", {}), InputError);
  EXPECT_THROW(classes_of_data(root_ / "nothing", {}), InputError);
}

TEST_F(DatasetTest, TakesNamesOfClassesInLists) {
  put("list.csv", "path,label\na.jpg,cat\nb.jpg,ape\nc.jpg,cat\n");
  const std::vector<std::string> classes = classes_of_data(root_ / "list.csv", {});
  EXPECT_EQ(classes, (std::vector<std::string>{"ape", "cat"}));
  const Dataset found = open_dataset(root_ / "list.csv", {.class_names = classes, .classes = 2});
  ASSERT_EQ(found.samples.size(), 3U);
  EXPECT_EQ(found.samples[0].label, 1);
  EXPECT_EQ(found.samples[1].label, 0);
  EXPECT_EQ(found.samples[1].folder, "ape");
  // Of numbers there are as many as the largest says, in their order and not their digits'.
  std::string numbers;
  for (int i = 10; i >= 0; --i) numbers += "a.jpg," + std::to_string(i) + "\n";
  put("numbers.csv", numbers);
  EXPECT_EQ(classes_of_data(root_ / "numbers.csv", {}).back(), "10");
  for (const char* wrong : {"a.jpg,0\nb.jpg,2\n", "a.jpg,0\nb.jpg,cat\n", "a.jpg,-1\n", "a.jpg\n"}) {
    put("wrong.csv", wrong);
    EXPECT_THROW(classes_of_data(root_ / "wrong.csv", {}), InputError) << wrong;
  }
}

TEST_F(DatasetTest, TakesSoManyPicturesOfEachClass) {
  for (const char* file : {"a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png", "c/1.png"}) put(file);
  const auto names = [&](LimitOrder order, std::uint64_t seed) {
    std::string text;
    for (const Sample& sample :
         open_dataset(
             root_, {.class_names = {"a", "b", "c"}, .classes = 3, .per_class = 2, .limit_order = order, .seed = seed})
             .samples) {
      text += sample.folder + sample.name.substr(0, 1) + " ";
    }
    return text;
  };
  EXPECT_EQ(names(LimitOrder::kFirst, 1), "a1 a2 b1 b2 c1 ");
  std::set<std::string> drawn;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) drawn.insert(names(LimitOrder::kSpread, seed));
  EXPECT_EQ(drawn, (std::set<std::string>{"a1 a2 b1 b2 c1 ", "a1 a3 b1 b2 c1 ", "a2 a3 b1 b2 c1 "}));
}

TEST_F(DatasetTest, ALimitTakesPicturesOfAllClasses) {
  for (const char* of_class : {"a", "b", "c", "d"}) {
    for (int i = 0; i < 10; ++i) put(std::string(of_class) + "/" + std::to_string(i) + ".png");
  }
  DatasetOptions options{.class_names = {"a", "b", "c", "d"}, .classes = 4, .limit = 8};
  const auto taken = [&] {
    std::vector<std::string> names;
    for (const Sample& sample : open_dataset(root_, options).samples) names.push_back(sample.folder + sample.name);
    return names;
  };
  const std::vector<std::string> eight = taken();
  ASSERT_EQ(eight.size(), 8U);
  EXPECT_TRUE(std::ranges::is_sorted(eight));  // in the order that they have in the whole
  std::map<char, int> of_class;
  for (const std::string& name : eight) ++of_class[name[0]];
  EXPECT_EQ(of_class, (std::map<char, int>{{'a', 2}, {'b', 2}, {'c', 2}, {'d', 2}}));
  EXPECT_EQ(taken(), eight);
  options.seed = 2;
  EXPECT_NE(taken(), eight);
  const PictureSample sample = open_dataset(root_, options).sample;
  EXPECT_EQ(to_text(sample), "8 of 40 pictures, drawn over 4 of 4 classes (seed 2)");
  options.limit_order = LimitOrder::kFirst;
  for (const std::string& name : taken()) EXPECT_EQ(name[0], 'a');
  EXPECT_EQ(to_text(open_dataset(root_, options).sample), "the first 8 of 40 pictures, of 1 of 4 classes");
  options.limit = 40;
  EXPECT_TRUE(open_dataset(root_, options).sample.all());
}

TEST(PictureSamples, GiveEachClassItsShareAndEachPictureTheSameChance) {
  std::vector<int> labels;  // 1000 classes of 50, one of 500
  for (int i = 0; i < 50'000; ++i) labels.push_back(i / 50);
  labels.insert(labels.end(), 500, 1000);
  for (const std::size_t count : {1U, 10U, 700U, 2000U, 50'499U}) {
    std::map<int, std::size_t> of_class;
    const std::vector<std::size_t> taken = draw_spread(labels, count, 7);
    ASSERT_EQ(taken.size(), count);
    EXPECT_EQ(std::set<std::size_t>(taken.begin(), taken.end()).size(), count);
    for (const std::size_t number : taken) ++of_class[labels[number]];
    for (int label = 0; label <= 1000; ++label) {
      const double share = static_cast<double>(count) * (label == 1000 ? 500 : 50) / 50'500;
      EXPECT_LT(std::abs(static_cast<double>(of_class[label]) - share), 1) << label << " of " << count;
    }
  }
  // Over seeds each of seven pictures, in classes of one to three, is taken as often as any other.
  const std::vector<int> few{0, 1, 1, 2, 2, 2, 3};
  std::vector<int> times(few.size());
  constexpr int kSeeds = 7000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (const std::size_t number : draw_spread(few, 3, static_cast<std::uint64_t>(seed))) ++times[number];
  }
  for (const int count : times) EXPECT_NEAR(count, 3 * kSeeds / 7, 200);  // five standard deviations
}

TEST(PictureSamples, SurviveJson) {
  const PictureSample sample{
      .taken = 2, .of = 9, .classes = 1, .of_classes = 3, .order = LimitOrder::kFirst, .seed = 5};
  EXPECT_EQ(to_text(picture_sample_from_json(to_json(sample))), to_text(sample));
  EXPECT_TRUE(picture_sample_from_json(to_json(PictureSample{})).all());
  EXPECT_THROW(picture_sample_from_json({{"of", 3}}), InputError);
  EXPECT_THROW(limit_order_from_string("last"), UsageError);
}

}  // namespace
}  // namespace tessera
