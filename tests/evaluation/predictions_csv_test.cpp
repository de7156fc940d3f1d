// predictions.csv as it is written, and as pandas and spreadsheets write it again.
#include "evaluation/compare/predictions_csv.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace tessera {
namespace {

constexpr const char* kHeader =
    "image,wnid,gt_idx,gt_label,a_pred_idx,a_pred_label,a_top1_correct,a_top5_correct,a_conf";

class PredictionsCsv : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  ComparisonResult read(const std::string& text) const {
    std::ofstream(path_, std::ios::binary) << text;
    return read_predictions_csv(path_);
  }
  ComparisonResult read_below_header(std::string_view rest) const {
    std::string text = kHeader;
    text += rest;
    return read(text);
  }
  std::string message_of(const std::string& rows) const {
    try {
      read_below_header(rows);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("tessera-predictions-" + std::to_string(::getpid()) + ".csv");
};

TEST_F(PredictionsCsv, GivesEveryNameBack) {
  ComparisonResult result;
  result.header.labels = LabelSet::custom({"=cmd|' /C calc'!A0", "-1", "caf\xE9, \"black\""});
  result.header.models = {{.name = "a", .prefix = "a"}};
  for (const char* name : {"M\xFC"
                           "cke.jpg",
                           "@x.jpg", "new\nline.jpg", "\\x41.jpg", "\x1B[2J.jpg"}) {
    ComparisonRow row{.sample = {.name = name, .folder = "+1", .label = 2}};
    row.predictions = {{.index = 0, .confidence = 0.5, .top5_correct = true}};
    result.rows.push_back(row);
  }
  result.rows.push_back({.sample = {.name = "bad.jpg", .folder = "x", .label = 1}, .error = "=bad\xFF: is empty"});
  const std::string csv = predictions_csv(result);
  EXPECT_EQ(csv.find('\x1B'), std::string::npos);
  EXPECT_EQ(csv.find(",="), std::string::npos);
  const ComparisonResult again = read(csv);
  ASSERT_EQ(again.rows.size(), result.rows.size());
  for (std::size_t i = 0; i < again.rows.size(); ++i) {
    EXPECT_EQ(again.rows[i].sample.name, result.rows[i].sample.name);
    EXPECT_EQ(again.rows[i].sample.folder, result.rows[i].sample.folder);
    EXPECT_EQ(again.rows[i].error, result.rows[i].error);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(again.header.labels.name(i), result.header.labels.name(i));
}

TEST_F(PredictionsCsv, ReadsWhatPandasMakesOfRowsWithoutPredictions) {
  // DataFrame.to_csv(): numbers of columns with holes are real ones.
  const ComparisonResult found = read_below_header(
      ",error\n"
      "a.jpg,cat,0,cat,1.0,dog,False,1.0,99.5,\n"
      "b.jpg,cat,0.0,cat,,,,,,b.jpg: is empty\n");
  ASSERT_EQ(found.rows.size(), 2U);
  EXPECT_EQ(found.rows[0].predictions.at(0).index, 1);
  EXPECT_FALSE(found.rows[0].predictions[0].top1_correct);
  EXPECT_TRUE(found.rows[0].predictions[0].top5_correct);
  EXPECT_EQ(found.rows[1].error, "b.jpg: is empty");
  // The same without the column of errors.
  const ComparisonResult bare = read_below_header("\na.jpg,cat,0,cat,1.0,dog,TRUE,true,99.5\nb.jpg,cat,0,cat,,,,,\n");
  EXPECT_EQ(bare.rows[1].error, "b.jpg: the table has no prediction of it");
  EXPECT_TRUE(bare.rows[0].predictions[0].top1_correct);
}

TEST_F(PredictionsCsv, ReadsWhatSpreadsheetsWrite) {
  std::string semicolons(kHeader);
  semicolons += "\r\na.jpg,cat,0,tench; cat,1,dog,FALSE,TRUE,99.5\r\n";
  std::ranges::transform(semicolons, semicolons.begin(), [](char c) { return c == ',' ? ';' : c == ';' ? ',' : c; });
  for (const std::string& text : {semicolons, "\xEF\xBB\xBF" + semicolons, " " + semicolons}) {
    const ComparisonResult found = read(text);
    ASSERT_EQ(found.rows.size(), 1U);
    EXPECT_EQ(found.rows[0].sample.name, "a.jpg");
    EXPECT_EQ(found.header.labels.name(0), "tench, cat");
    EXPECT_TRUE(found.rows[0].predictions[0].top5_correct);
  }
}

TEST_F(PredictionsCsv, NamesWhatIsNoValueAndWhatToDo) {
  EXPECT_NE(message_of("\na.jpg,c,0,c,1,d,WAHR,True,99\n").find("column 'a_top1_correct': expected True or False"),
            std::string::npos);
  EXPECT_NE(message_of("\na.jpg,c,0,c,1,d,True,True,\n").find("an empty cell is no value"), std::string::npos);
  EXPECT_NE(message_of("\na.jpg,c,0,c,1,d,True,True,\"99,5\"\n").find("with a decimal point"), std::string::npos);
  EXPECT_NE(message_of("\na.jpg,c,0,c,1.5,d,True,True,99\n").find("expected a class number"), std::string::npos);
  EXPECT_NE(message_of("\na.jpg,c,,c,1,d,True,True,99\n").find("column 'gt_idx'"), std::string::npos);
}

}  // namespace
}  // namespace tessera
