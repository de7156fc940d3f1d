// What report.html is made of: which pictures, thumbnails, distributions, the record of the machine. The page itself is
// read in a browser by tests/pages.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "evaluation/ready/environment.h"
#include "evaluation/report/distributions.h"
#include "evaluation/report/gallery.h"
#include "evaluation/report/run_files.h"
#include "evaluation/report/thumbnails.h"
#include "vision/decode.h"
#include "vision/jpeg_encode.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class ReportParts : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  // A picture of one grey in a file.
  void put(const std::string& path, int width, int height, std::uint8_t grey) const {
    fs::create_directories((root_ / path).parent_path());
    const Image image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), grey)};
    const std::vector<std::byte> bytes = encode_jpeg(image, 90);
    std::ofstream(root_ / path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // The picture that a data URI holds, decoded by the system's base64.
  Image picture_of(const std::string& uri) const {
    const std::string start = "data:image/jpeg;base64,";
    EXPECT_TRUE(uri.starts_with(start)) << uri.substr(0, 40);
    std::ofstream(root_ / "base64") << uri.substr(start.size());
    const std::string command =
        "base64 -d '" + (root_ / "base64").string() + "' > '" + (root_ / "decoded").string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return decode(read_picture_file(root_ / "decoded"), "thumbnail");
  }

  fs::path root_ = fs::temp_directory_path() / ("tessera-report-parts-" + std::to_string(::getpid()));
};

ComparisonRow row_of(int number, int label, const std::vector<std::pair<int, double>>& named) {
  ComparisonRow row{.number = number,
                    .sample = {.path = {}, .name = std::to_string(number), .folder = "", .label = label}};
  for (const auto& [index, confidence] : named) {
    row.predictions.emplace_back();
    set_best(row.predictions.back(), {{index, confidence}}, label);
  }
  return row;
}

TEST_F(ReportParts, ThumbnailsAreMadeOfFoldersArchivesAndListsAlike) {
  put("data/n01440764/wide.jpg", 640, 320, 200);
  put("data/n01440764/small.jpg", 32, 20, 50);
  const std::string tar = "tar -cf '" + (root_ / "data.tar").string() + "' -C '" + (root_ / "data").string() + "' .";
  ASSERT_EQ(std::system(tar.c_str()), 0);
  const Sample wide{.path = {}, .name = "wide.jpg", .folder = "n01440764"},
      small{.path = {}, .name = "small.jpg", .folder = ""};
  std::ofstream(root_ / "list.csv") << "path,label\ndata/n01440764/wide.jpg,fish\ndata/n01440764/small.jpg,7\n";
  for (const char* data : {"data", "data.tar", "list.csv"}) {
    const std::vector<Sample> pictures = list_pictures(root_ / data);
    ASSERT_EQ(pictures.size(), 2U) << data;
    const Thumbnails thumbnails(pictures);
    const Image shrunk = picture_of(thumbnails.uri(wide));
    EXPECT_EQ(shrunk.width, 160);
    EXPECT_EQ(shrunk.height, 80);
    EXPECT_NEAR(shrunk.pixels[0], 200, 3);
    const Image kept = picture_of(thumbnails.uri(small));  // by its name alone; not made larger
    EXPECT_EQ(kept.width, 32);
    EXPECT_NEAR(kept.pixels[0], 50, 3);
  }
}

TEST_F(ReportParts, APictureThatIsGoneDamagedOrNamedTwiceHasNoThumbnail) {
  put("data/a/same.jpg", 20, 20, 0);
  put("data/b/same.jpg", 20, 20, 0);
  std::ofstream(root_ / "data/a/broken.jpg") << "no picture";
  const std::vector<Sample> pictures = list_pictures(root_ / "data");
  const Thumbnails thumbnails(pictures);
  EXPECT_EQ(thumbnails.uri({.path = {}, .name = "gone.jpg", .folder = "a"}), "");
  EXPECT_EQ(thumbnails.uri({.path = {}, .name = "broken.jpg", .folder = "a"}), "");
  EXPECT_EQ(thumbnails.uri({.path = {}, .name = "same.jpg", .folder = ""}), "");
  EXPECT_NE(thumbnails.uri({.path = {}, .name = "same.jpg", .folder = "b"}), "");
  EXPECT_EQ(thumbnails.uri({.path = root_ / "nowhere.jpg", .name = "nowhere.jpg"}), "");
}

TEST_F(ReportParts, TheGalleryHasTheMostConfidentOfEachKindAndOneOfEachClass) {
  ComparisonResult result;
  result.header.models.resize(2);
  for (int i = 0; i < 5; ++i) result.rows.push_back(row_of(i, 0, {{0, 0.5 + 0.1 * i}, {1, 0.9}}));  // only the first
  result.rows.push_back(row_of(5, 2, {{0, 0.1}, {2, 0.1}}));                                        // only the second
  result.rows.push_back(row_of(6, 3, {{0, 0.2}, {1, 0.3}}));                                        // neither
  result.rows.push_back(row_of(7, 3, {{0, 0.9}, {0, 0.9}}));    // the same: no disagreement
  result.rows.push_back(row_of(8, 4, {{0, 0.05}, {4, 0.05}}));  // a class of its own
  const Gallery gallery = choose_gallery(result, 1);
  ASSERT_EQ(gallery.groups.size(), 1U);
  const GalleryGroup& group = gallery.groups.front();
  EXPECT_EQ(group.found, (std::array<std::int64_t, 3>{5, 2, 1}));
  EXPECT_EQ(group.rows[0], (std::vector<std::size_t>{4}));
  EXPECT_EQ(group.rows[1], (std::vector<std::size_t>{5, 8}));
  EXPECT_EQ(group.rows[2], (std::vector<std::size_t>{6}));
  EXPECT_EQ(gallery.rows, (std::vector<std::size_t>{4, 5, 6, 8}));
}

TEST_F(ReportParts, EveryPictureIsInAHistogramOrSaidToBeOutside) {
  ComparisonResult result;
  result.header.models.resize(2);
  for (int i = 0; i < 1000; ++i) {
    result.rows.push_back(row_of(i, i % 7, {{0, 0.999}, {i % 7, i / 999.0}}));
    result.rows.back().predictions[0].inference_ms = i == 0 ? 500 : 5 + 0.001 * i;
    result.rows.back().predictions[1].inference_ms = 50 + 0.01 * i;
  }
  const nlohmann::json stages = time_distributions(result);
  ASSERT_EQ(stages.size(), 2U);  // inference and the sum; the others took no time
  EXPECT_TRUE(stages[0]["log"]);
  for (const nlohmann::json& series : stages[0]["series"]) {
    std::int64_t count = series["below"].get<std::int64_t>() + series["above"].get<std::int64_t>();
    for (const nlohmann::json& of_bin : series["counts"]) count += of_bin.get<std::int64_t>();
    EXPECT_EQ(count, 1000);
  }
  EXPECT_EQ(stages[0]["series"][0]["above"], 1);
  EXPECT_EQ(stages[0]["series"][0]["largest"], 500);
  const nlohmann::json counts = class_counts(result, summarise(result));
  std::array<std::int64_t, 5> whole{};
  for (const nlohmann::json& of_class : counts["pairs"][0]) {
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] += of_class[i].get<std::int64_t>();
  }
  EXPECT_EQ(whole, (std::array<std::int64_t, 5>{143, 0, 857, 0, 143}));
  // Confidence 1 lies in the last bin.
  EXPECT_EQ(counts["confidence"][0][0], nlohmann::json({19, 143, 0}));
}

TEST_F(ReportParts, TheRecordNamesTheMachineAndTheCommand) {
  const nlohmann::json record = environment_record();
  EXPECT_EQ(record["tessera"], TESSERA_VERSION);
  EXPECT_GE(record["logical_cores"].get<int>(), record["physical_cores"].get<int>());
  EXPECT_FALSE(record["isa"].empty());
  EXPECT_TRUE(record["libraries"].contains("HDF5"));
  EXPECT_TRUE(record["kernel"].get<std::string>().starts_with("Linux "));
  EXPECT_EQ(record["load_average"].size(), 3U);
  EXPECT_NE(command_line().find("evaluation_test"), std::string::npos);
}

TEST_F(ReportParts, QuotedWordsAreReadBackByTheShell) {
  for (const std::string word :
       {"plain", "two words", "it's", "\"$HOME\" `ls` \\ ; & <", "", "caf\xC3\xA9", "-x=/a/b"}) {
    const std::string command = "printf %s " + shell_quoted(word) + " > '" + (root_ / "said").string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream file(root_ / "said");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), word);
  }
}

TEST_F(ReportParts, AMergedRunKeepsEachShardsMachineAndCommand) {
  for (const char* shard : {"a", "b"}) {
    fs::create_directories(root_ / shard);
    std::ofstream(root_ / shard / "run.json")
        << nlohmann::json{{"data", "pictures"}, {"command", std::string("tessera ") + shard}};
  }
  const nlohmann::json merged =
      merged_run_json({{"seed", 1}}, {(root_ / "a").string(), (root_ / "b").string(), (root_ / "none").string()});
  EXPECT_EQ(merged["seed"], 1);
  EXPECT_EQ(merged["data"], "pictures");
  ASSERT_EQ(merged["shards"].size(), 3U);
  EXPECT_EQ(merged["shards"][1]["command"], "tessera b");
  EXPECT_FALSE(merged["shards"][2].contains("command"));
}

}  // namespace
}  // namespace tessera
