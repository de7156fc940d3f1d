// Which pictures are found, and what is said of the rest.
#include "vision/picture_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "vision/file_kinds.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

const std::string kJpeg = "\xFF\xD8\xFF\xE0 the rest";

class PictureFiles : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_ / "set");
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text = "x") const {
    fs::create_directories((root_ / "set" / path).parent_path());
    std::ofstream(root_ / "set" / path, std::ios::binary) << text;
  }
  // "class: name" of each picture, then the loose ones' names.
  static Names names_of(const Pictures& found) {
    Names names;
    for (const Sample& sample : found.in_folders) names.push_back(sample.folder + ": " + sample.name);
    for (const Sample& sample : found.loose) names.push_back(sample.name);
    return names;
  }
  Names found() const { return names_of(all_pictures(root_ / "set")); }
  bool says(const std::string& part) const { return says(root_ / "set", part); }
  static bool says(const fs::path& data, const std::string& part) {
    const Names notes = all_pictures(data).notes;
    return std::ranges::any_of(notes, [&](const std::string& note) { return note.find(part) != std::string::npos; });
  }
  std::string message_of(const fs::path& path) const {
    try {
      all_pictures(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  // Of what lies in set/, in the order of `members` where there are any.
  fs::path tar(const std::string& members = ".", const std::string& options = "") const {
    const std::string command =
        "tar " + options + " -cf '" + (root_ / "a.tar").string() + "' -C '" + (root_ / "set").string() + "' " + members;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return root_ / "a.tar";
  }
  static std::string text_of(const Sample& sample) {
    const std::vector<std::byte> bytes = read_picture(sample);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  fs::path root_ = fs::temp_directory_path() / ("tessera-pictures-" + std::to_string(::getpid()));
};

TEST_F(PictureFiles, LieDeeperInTheirClassFoldersInTheOrderOfImageFolder) {
  for (const char* file : {"n02/images/b.JPEG", "n01/images/z.JPEG", "n01/images/a.JPEG", "n01/x.jpg",
                           "n01/b/deep/1.png", "n01/images.old/c.png", "top.webp"}) {
    put(file);
  }
  put("n01/n01_boxes.txt");
  // torchvision 0.21: ImageFolder(...).imgs, but for the picture in no folder.
  const Names expected{
      "n01: x.jpg",         "n01: b/deep/1.png", "n01: images/a.JPEG", "n01: images/z.JPEG", "n01: images.old/c.png",
      "n02: images/b.JPEG", "top.webp"};
  EXPECT_EQ(found(), expected);
  EXPECT_TRUE(
      says("5 picture(s) lie deeper than right in a class folder; the class is the first folder, so "
           "n01/b/deep/1.png is of 'n01'"));
  EXPECT_TRUE(says("1 file(s) left out, which are no pictures: n01/n01_boxes.txt"));
  EXPECT_EQ(names_of(all_pictures(tar())), expected);
}

TEST_F(PictureFiles, AreKnownByContentWhereTheirEndingDoesNotSay) {
  put("cat/a.jfif", kJpeg);
  put("cat/b.jpe", kJpeg);
  put("cat/c", kJpeg);
  put("cat/d.image", "GIF89a...");
  put("cat/e.heic", std::string("\0\0\0\x18"
                                "ftypheic",
                                12));
  put("cat/empty", "");
  put("cat/bm.txt", "BMW and other makes");
  put("cat/p.txt", "P1 is a race track");
  const Names expected{"cat: a.jfif", "cat: b.jpe", "cat: c", "cat: d.image"};
  for (const fs::path& data : {root_ / "set", tar()}) {
    EXPECT_EQ(names_of(all_pictures(data)), expected);
    EXPECT_TRUE(says(data, "4 file(s) of another ending taken, which are pictures by their content: cat/a.jfif, "));
    EXPECT_TRUE(says(data, "4 file(s) left out, which are no pictures: cat/bm.txt, cat/e.heic, cat/empty, cat/p.txt"));
  }
}

TEST_F(PictureFiles, LeaveOutWhatSystemsPutBesideThemAndSaySo) {
  put("cat/a.jpg");
  for (const char* junk :
       {"cat/._a.jpg", "__MACOSX/cat/._a.jpg", "cat/.ipynb_checkpoints/a-checkpoint.jpg", "cat/Thumbs.db", ".DS_Store",
        "cat/desktop.ini", "cat/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", ".hidden/b.jpg"}) {
    put(junk, kJpeg);
  }
  for (const fs::path& data : {root_ / "set", tar("cat .DS_Store .hidden __MACOSX")}) {
    EXPECT_EQ(names_of(all_pictures(data)), Names{"cat: a.jpg"});
    EXPECT_TRUE(says(data, "8 hidden or system file(s) or folder(s) left out: "));
    EXPECT_TRUE(says(data, "__MACOSX/"));
  }
}

TEST_F(PictureFiles, OfASetAmongOthersAreNotTakenForAClass) {
  put("train/cat/1.jpg");
  put("val/cat/2.jpg");
  for (const fs::path& data : {root_ / "set", tar()}) {
    const std::string message = message_of(data);
    EXPECT_NE(message.find("'train' looks like a set of pictures with class folders of its own (train/cat)"),
              std::string::npos);
    EXPECT_NE(message.find("name the set: " + (data / "train").string()), std::string::npos) << message;
    EXPECT_EQ(names_of(all_pictures(data / "val")).size(), 1U);
  }
}

TEST_F(PictureFiles, MayBeOfAClassThatIsCalledTrain) {
  put("train/1.jpg");
  put("car/images/2.jpg");
  put("test/images/3.jpg");
  EXPECT_EQ(found(), (Names{"car: images/2.jpg", "test: images/3.jpg", "train: 1.jpg"}));
}

TEST_F(PictureFiles, OfAnArchiveBeginWhereItsClassFoldersDo) {
  put("a/val/n01/1.jpg");
  put("a/val/n02/2.jpg");
  put("a/val/stray.jpg");
  put("a/readme.txt");
  EXPECT_EQ(names_of(all_pictures(tar())), (Names{"n01: 1.jpg", "n02: 2.jpg", "stray.jpg"}));
  EXPECT_EQ(names_of(all_pictures(tar("a/val/n01"))), Names{"n01: 1.jpg"});
  EXPECT_EQ(names_of(all_pictures(tar("a") / "a/val/n02")), Names{"2.jpg"});
  put("b/n01/images/3.jpg");
  EXPECT_EQ(names_of(all_pictures(tar("b"))), Names{"n01: images/3.jpg"});
}

TEST_F(PictureFiles, OfOneNameInAnArchiveAreTheLastOfThem) {
  put("n01/a.jpg", "first");
  put("n02/b.jpg", "b");
  const fs::path archive = tar("n01 n02");
  put("n01/a.jpg", "the second, which is what unpacking leaves");
  ASSERT_EQ(
      std::system(("tar -rf '" + archive.string() + "' -C '" + (root_ / "set").string() + "' ./n01/a.jpg").c_str()), 0);
  const Pictures pictures = all_pictures(archive);
  EXPECT_EQ(names_of(pictures), (Names{"n01: a.jpg", "n02: b.jpg"}));
  EXPECT_EQ(text_of(pictures.in_folders.front()), "the second, which is what unpacking leaves");
  EXPECT_TRUE(says(archive, "1 member(s) replaced by later ones of the same name, as tar itself does: n01/a.jpg"));
}

TEST_F(PictureFiles, MayBeHardLinksInAnArchive) {
  put("n01/a.jpg", "one");
  fs::create_hard_link(root_ / "set/n01/a.jpg", root_ / "set/n01/b.jpg");
  const Pictures pictures = all_pictures(tar("n01/a.jpg n01/b.jpg"));
  EXPECT_EQ(names_of(pictures), (Names{"n01: a.jpg", "n01: b.jpg"}));
  EXPECT_EQ(text_of(pictures.in_folders.back()), "one");
}

TEST_F(PictureFiles, MayHaveNamesThatAreNotAscii) {
  const std::string utf8 =
                        "M\xC3\xBC"
                        "cke.jpg",
                    latin1 =
                        "M\xFC"
                        "cke.jpg";
  put("cat/" + utf8, "u");
  put("cat/" + latin1, "l");
  for (const char* format : {"--format=gnu", "--format=pax", "--format=ustar"}) {
    const Pictures pictures = all_pictures(tar(".", format));
    EXPECT_EQ(names_of(pictures), (Names{"cat: " + utf8, "cat: " + latin1})) << format;
    EXPECT_EQ(text_of(pictures.in_folders.back()), "l") << format;
  }
}

TEST_F(PictureFiles, InPackedFilesAreRefusedWithWhatToDo) {
  put("n01/a.jpg");
  const std::string in_set = "cd '" + (root_ / "set").string() + "' && ";
  const auto refusal = [&](const std::string& make, const std::string& name) {
    EXPECT_EQ(std::system((in_set + make).c_str()), 0) << make;
    return message_of(root_ / "set" / name);
  };
  const std::string folder = (root_ / "set" / "p").string();
  for (const auto& [option, name, packing] : {std::tuple{"-z", "p.tar.gz", "gzip"},
                                              {"-z", "p.tgz", "gzip"},
                                              {"-J", "p.tar.xz", "xz"},
                                              {"-z", "p.tar", "gzip"}}) {
    const std::string message = refusal(std::string("tar ") + option + " -cf " + name + " n01", name);
    EXPECT_NE(message.find(std::string("is packed (") + packing + ")"), std::string::npos) << message;
    EXPECT_NE(message.find("mkdir " + folder + " && tar -xf " + (root_ / "set" / name).string() + " -C " + folder),
              std::string::npos)
        << message;
  }
  put("p.zip", "PK\x03\x04 and so on");
  EXPECT_NE(message_of(root_ / "set" / "p.zip").find("unzip " + folder + ".zip -d " + folder), std::string::npos);
  put("p 1.tar.zst", "\x28\xB5\x2F\xFD and so on");
  EXPECT_NE(message_of(root_ / "set" / "p 1.tar.zst").find("mkdir '" + folder + " 1' && tar -xf"), std::string::npos);
  put("list.csv.gz", "\x1F\x8B and so on");
  EXPECT_NE(message_of(root_ / "set" / "list.csv.gz").find("gzip -dk "), std::string::npos);
  put("one.jpg", kJpeg);
  EXPECT_NE(message_of(root_ / "set" / "one.jpg").find("is a picture"), std::string::npos);
}

TEST_F(PictureFiles, AreNotLookedForTwiceThroughLinks) {
  put("a/1.jpg");
  put("b/inner/2.jpg");
  fs::create_directory_symlink(root_ / "set", root_ / "set" / "a" / "loop");
  fs::create_directory_symlink("inner", root_ / "set" / "b" / "same");
  fs::create_directory_symlink("a", root_ / "set" / "c");
  fs::create_symlink("self", root_ / "set" / "a" / "self");
  EXPECT_EQ(found(), (Names{"a: 1.jpg", "b: inner/2.jpg", "c: 1.jpg"}));
  EXPECT_TRUE(says("3 link(s) to folders that were looked through already left out: a/loop, b/same, c/loop"));
  EXPECT_TRUE(says("2 file(s) left out, which are no pictures: a/self, c/self"));
}

TEST_F(PictureFiles, InPlacesThatCannotBeLookedAtAreErrorsWithTheReason) {
  EXPECT_NE(message_of(root_ / std::string(300, 'x')).find("File name too long"), std::string::npos);
  fs::create_symlink("loop", root_ / "loop");
  EXPECT_NE(message_of(root_ / "loop").find("Too many levels of symbolic links"), std::string::npos);
  EXPECT_NE(message_of(root_ / "nothing").find("no such file or folder"), std::string::npos);
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(message_of(root_ / "pipe").find("not a regular one"), std::string::npos) << message_of(root_ / "pipe");
  put("cat/1.jpg");
  EXPECT_NE(message_of(root_ / "set/cat/1.jpg/inner").find("neither a folder nor a tar"), std::string::npos);
  const uid_t self = ::geteuid();
  fs::permissions(root_ / "set/cat", fs::perms::none);
  if (self == 0) {
    ASSERT_EQ(::seteuid(65534), 0);  // root may read everything
  }
  const std::string message = message_of(root_ / "set");
  if (self == 0) {
    ASSERT_EQ(::seteuid(self), 0);
  }
  fs::permissions(root_ / "set/cat", fs::perms::owner_all);
  EXPECT_NE(message.find("set/cat: cannot be read (Permission denied)"), std::string::npos) << message;
}

TEST_F(PictureFiles, OfMoreThanAGibibyteAreNotRead) {
  put("cat/huge.jpg");
  fs::resize_file(root_ / "set/cat/huge.jpg", std::uintmax_t{60} << 30);
  EXPECT_THROW(read_picture(all_pictures(root_ / "set").in_folders.front()), InputError);
}

}  // namespace
}  // namespace tessera
