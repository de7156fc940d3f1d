// Pictures in tar archives, and labels of pictures that lie in no class folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "vision/dataset.h"
#include "vision/decode.h"
#include "vision/label_files.h"
#include "vision/labels.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class TarTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  // Of what lies under `folder`, by the system's tar.
  fs::path tar(const std::string& folder, const std::string& options, const std::string& name = "a.tar") const {
    const std::string command =
        "tar " + options + " -cf '" + (root_ / name).string() + "' -C '" + (root_ / folder).string() + "' .";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return root_ / name;
  }
  std::string message_of(const fs::path& path, const DatasetOptions& options = {}) const {
    try {
      open_dataset(path, options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  static std::string text_of(const Sample& sample) {
    const std::vector<std::byte> bytes = read_picture(sample);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  fs::path root_ = fs::temp_directory_path() / ("tessera-tar-" + std::to_string(::getpid()));
};

TEST_F(TarTest, GivesTheBytesThatUnpackingGives) {
  const std::string long_name = std::string(60, 'x') + ".jpg";
  put("data/n01440764/b.jpg", std::string(1234, 'b'));
  put("data/n01440764/a.JPEG", "a");
  put("data/n01440764/notes.txt", "no picture");
  put("data/n15075141/" + long_name, std::string(512, 'c'));
  put("data/unknown/u.png", "u");
  for (const char* format : {"--format=gnu", "--format=pax", "--format=ustar", "--format=v7"}) {
    const Dataset found = open_dataset(tar("data", format), {});
    ASSERT_EQ(found.samples.size(), 3U) << format;
    const Dataset unpacked = open_dataset(root_ / "data", {});
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(found.samples[i].name, unpacked.samples[i].name) << format;
      EXPECT_EQ(found.samples[i].folder, unpacked.samples[i].folder) << format;
      EXPECT_EQ(found.samples[i].label, unpacked.samples[i].label) << format;
      EXPECT_EQ(text_of(found.samples[i]), text_of(unpacked.samples[i])) << format;
    }
    ASSERT_EQ(found.notes.size(), 3U);
    EXPECT_NE(found.notes[2].find("no class is known for unknown"), std::string::npos) << found.notes[2];
  }
}

TEST_F(TarTest, TakesLongNamesOfGnuAndPax) {
  const std::string long_name = std::string(180, 'y') + ".jpg";
  put("data/n01440764/" + long_name, "one");
  put("data/n01440764/z.jpg", "two");
  for (const char* format : {"--format=gnu", "--format=pax"}) {
    const Dataset found = open_dataset(tar("data", format), {});
    ASSERT_EQ(found.samples.size(), 2U);
    EXPECT_EQ(found.samples[0].name, long_name);
    EXPECT_EQ(text_of(found.samples[0]), "one");
    EXPECT_EQ(text_of(found.samples[1]), "two");
  }
}

TEST_F(TarTest, TakesOneOfTheSetsInAnArchive) {
  put("data/train/cat/1.jpg", "t");
  put("data/test/cat/1.jpg", "e");
  put("data/test/dog/2.jpg", "d");
  const fs::path archive = tar("data", "");
  const DatasetOptions options{.class_names = {"cat", "dog"}, .classes = 2};
  EXPECT_NE(message_of(archive, options).find("name the set: " + (archive / "test").string()), std::string::npos);
  const Dataset found = open_dataset(archive / "test", options);
  ASSERT_EQ(found.samples.size(), 2U);
  EXPECT_EQ(text_of(found.samples[0]), "e");
  EXPECT_EQ(found.samples[1].label, 1);
  EXPECT_NE(message_of(archive / "other", options).find("no labelled pictures"), std::string::npos);
}

// Messages name a picture as `tar -xf` takes it, with the folders above the class folder.
TEST_F(TarTest, NamesWholeMembers) {
  put("data/set/val/cat/1.jpg", "c");
  put("data/set/val/dog/2.jpg", "d");
  const fs::path archive = tar("data", "");
  const DatasetOptions options{.class_names = {"cat", "dog"}, .classes = 2};
  for (const fs::path& place : {archive, archive / "set", archive / "set/val"}) {
    const Dataset found = open_dataset(place, options);
    ASSERT_EQ(found.samples.size(), 2U);
    EXPECT_EQ(found.samples[0].folder, "cat");
    EXPECT_EQ(where(found.samples[0]), (archive / "set/val/cat/1.jpg").string());
    EXPECT_EQ(where(found.samples[1]), (archive / "set/val/dog/2.jpg").string());
  }
  EXPECT_EQ(where(list_pictures(archive / "set/val/dog").at(0)), (archive / "set/val/dog/2.jpg").string());
  EXPECT_EQ(where(list_pictures(root_ / "data").at(0)), (root_ / "data/set/val/cat/1.jpg").string());
}

TEST_F(TarTest, RefusesWhatIsNoTarAndWhatIsCutOff) {
  put("data/n01440764/a.jpg", std::string(5000, 'a'));
  put("data/n01440764/b.jpg", std::string(5000, 'b'));
  const fs::path archive = tar("data", "");
  put("text.tar", std::string(2000, 'x'));
  EXPECT_NE(message_of(root_ / "text.tar").find("text.tar: is not a whole, uncompressed tar"), std::string::npos);
  fs::resize_file(archive, 9000);
  EXPECT_NE(message_of(archive).find("cut off"), std::string::npos) << message_of(archive);
}

TEST_F(TarTest, LeavesOutLinksAndSaysSo) {
  put("data/n01440764/a.jpg", "a");
  fs::create_symlink("/etc/passwd", root_ / "data" / "n01440764" / "b.jpg");
  const Dataset found = open_dataset(tar("data", ""), {});
  EXPECT_EQ(found.samples.size(), 1U);
  ASSERT_EQ(found.notes.size(), 2U);  // the other is of the classes
  EXPECT_NE(found.notes[0].find("1 member(s) that are no regular files left out: n01440764/b.jpg"), std::string::npos);
}

TEST_F(TarTest, ReadsNothingBeyondTheArchive) {
  put("a.tar", "0123456789");
  const Sample sample{.path = root_ / "a.tar", .name = "x.jpg", .offset = 3, .size = 4};
  EXPECT_EQ(text_of(sample), "3456");
  Sample beyond = sample;
  for (const auto& [offset, size] : {std::pair{8, 4}, {11, 1}, {-1, 2}}) {
    beyond.offset = offset;
    beyond.size = size;
    EXPECT_THROW(read_picture(beyond), InputError) << offset;
  }
}

class GroundTruth : public TarTest {
 protected:
  std::vector<int> read(const std::string& text, int classes = 1000) const { return read_for(names_, text, classes); }
  std::vector<int> read_for(const std::vector<std::string>& names, const std::string& text, int classes = 1000) const {
    put("truth.txt", text);
    std::vector<int> labels;
    for (const std::string& label : read_ground_truth(
             root_ / "truth.txt", names, classes, [](const std::string& name) { return imagenet_index(name) >= 0; })) {
      int& index = labels.emplace_back(imagenet_index(label));
      if (index < 0) parse_class(label, index);
    }
    return labels;
  }
  void expect_refused(const std::string& text, const std::string& part, int classes = 1000) const {
    try {
      read(text, classes);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  const std::vector<std::string> names_{"v_1.JPEG", "v_2.JPEG", "v_3.JPEG"};
};

TEST_F(GroundTruth, ReadsEveryFormThatIsCommon) {
  const std::vector<int> expected{65, 0, 999};
  EXPECT_EQ(read("65\n0\n999\n"), expected);
  EXPECT_EQ(read("n01751748\r\nn01440764\r\nn15075141\r\n"), expected);
  EXPECT_EQ(read("v_1.JPEG 65\nv_3.JPEG 999\nv_2.JPEG 0\n"), expected);
  EXPECT_EQ(read("v_2,n01440764\nv_1,n01751748\nv_3,n15075141"), expected);
  EXPECT_EQ(read("ImageId,PredictionString\nv_3,n15075141 85 1 499 272 \nv_1,n01751748 1 2 3 4 n01751748 5 6 7 8\n"
                 "v_2,n01440764 1 1 1 1\n"),
            expected);
}

TEST_F(GroundTruth, ReadsQuotedNamesAndNamesWithSpaces) {
  const std::vector<std::string> names{"a.b.JPEG", "my shark.JPEG", "tench, big.png"};
  const std::vector<int> expected{7, 2, 0};
  EXPECT_EQ(read_for(names, "\"my shark.JPEG\",2\n\"tench, big.png\",0\na.b.JPEG,7\n"), expected);
  EXPECT_EQ(read_for(names, "image;label\nmy shark.JPEG;2\ntench, big.png;0\na.b;7.0\n"), expected);
  EXPECT_EQ(read_for(names, "my shark.JPEG\t2\ntench, big.png\t0\na.b.JPEG\t7\n"), expected);
  EXPECT_EQ(read_for(names, "width,image,label\n500,my shark,2\n500,\"tench, big\",0\n500,a.b,7\n"), expected);
  EXPECT_EQ(read_for({"my shark.JPEG", "v_1.JPEG"}, "my shark.JPEG 2\nv_1 5\n", 10), (std::vector<int>{2, 5}));
  // Tiny-ImageNet's val_annotations.txt: its boxes are no classes.
  EXPECT_EQ(read_for(names,
                     "a.b.JPEG\tn01494475\t0\t32\t44\t62\nmy shark.JPEG\tn01440764\t52\t55\t57\t59\n"
                     "tench, big.png\tn01443537\t4\t0\t60\t55\n"),
            (std::vector<int>{4, 0, 1}));
}

TEST_F(GroundTruth, RefusesAFirstRowThatIsNeitherDataNorAHeader) {
  expect_refused("v_1 sixty\nv_2 1\nv_3 2\n", "truth.txt:1: expected a class");
  expect_refused("v_1 sixty\nv_2 1\nv_3 2\n", "or a header, which has words such as path,label");
  expect_refused("v_1,500,65\nv_2,500,0\nv_3,500,9\n", "truth.txt:1");
  expect_refused("my shark 3\nv_2 1\nv_3 2\n", "truth.txt:1");
  EXPECT_EQ(read("label\n1\n2\n3\n"), (std::vector<int>{1, 2, 3}));
}

TEST_F(GroundTruth, RefusesWhatDoesNotFit) {
  expect_refused("65\n0\n", "has 2 classes for 3 pictures");
  expect_refused("65\n0\n1\n2\n", "has 4 classes for 3 pictures");
  expect_refused("65\n0\n1000\n", "truth.txt:3: class 1000 is out of range");
  expect_refused("65\n-1\n7\n", "truth.txt:2");
  expect_refused("65\ncat\n7\n", "truth.txt:2: expected a class");
  expect_refused("v_1 65\nv_2 1\n", "gives no class for v_3.JPEG");
  expect_refused("v_1 65\nv_1 1\n", "stands twice");
  expect_refused("v_1 65\n3\n4\n", "only some of its lines");
  expect_refused("", "names no class");
  expect_refused("3\n1\n2\n", "development kit", 3);
}

TEST_F(GroundTruth, LabelsPicturesInNoFolder) {
  for (const std::string& name : names_) put("val/" + name, name);
  put("truth.txt", "5\n6\n7\n");
  for (const fs::path& data : {root_ / "val", tar("val", "")}) {
    const Dataset found = open_dataset(data, {.ground_truth = root_ / "truth.txt"});
    ASSERT_EQ(found.samples.size(), 3U);
    EXPECT_EQ(found.samples[1].label, 6);
    EXPECT_EQ(text_of(found.samples[1]), "v_2.JPEG");
    EXPECT_NE(message_of(data).find("--ground-truth FILE would name"), std::string::npos) << message_of(data);
  }
  put("cats/n01440764/a.jpg", "a");
  EXPECT_NE(message_of(root_ / "cats", {.ground_truth = root_ / "truth.txt"}).find("there are none"),
            std::string::npos);
}

}  // namespace
}  // namespace tessera
