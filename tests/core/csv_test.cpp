#include "core/csv.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace tessera {
namespace {

using Rows = std::vector<std::vector<std::string>>;

class CsvTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  Rows rows(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    Rows rows;
    read_csv(path_, [&](const CsvRow& row) {
      EXPECT_EQ(row.number, rows.size() + 1);
      rows.push_back(row.fields);
    });
    return rows;
  }
  std::string error(const std::string& text) {
    try {
      rows(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("tessera-csv-" + std::to_string(::getpid()) + ".csv");
};

TEST_F(CsvTest, ReadsWhatTheStandardAllows) {
  EXPECT_EQ(rows("a,b\nc,d\n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(rows("a,b\r\nc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(rows("\xEF\xBB\xBF"
                 "a,b\n"),
            (Rows{{"a", "b"}}));
  EXPECT_EQ(rows("a,\n,b\n\n"), (Rows{{"a", ""}, {"", "b"}}));
  EXPECT_EQ(rows("\"tench, Tinca\",\"says \"\"no\"\"\",\"two\nlines\"\n"),
            (Rows{{"tench, Tinca", "says \"no\"", "two\nlines"}}));
  EXPECT_EQ(rows(" a , b\n"), (Rows{{" a ", " b"}}));
  EXPECT_EQ(rows(""), Rows{});
}

TEST_F(CsvTest, ReadsFilesLargerThanABlock) {
  Rows expected;
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back({"picture, " + std::to_string(i), std::to_string(i * 7)});
    text += csv_field(expected.back()[0]) + "," + expected.back()[1] + "\n";
  }
  EXPECT_EQ(rows(text), expected);
}

TEST_F(CsvTest, NamesTheRowOfAFault) {
  EXPECT_NE(error("a,b\nc,d\"e\n").find("row 2"), std::string::npos);
  EXPECT_NE(error("a,b\nc,\"d\n").find("row 2"), std::string::npos);
  EXPECT_NE(error("a\n" + std::string(3 << 20, 'x')).find("longer than 1 MiB"), std::string::npos);
  EXPECT_NE(error("a\n" + std::string(3 << 20, ',')).find("longer than 1 MiB"), std::string::npos);
  EXPECT_NE(error("a\n\"" + std::string(3 << 20, '\n')).find("longer than 1 MiB"), std::string::npos);
  EXPECT_THROW(read_csv("/nowhere/at.csv", [](const CsvRow&) {}), InputError);
  EXPECT_THROW(read_csv("/tmp", [](const CsvRow&) {}), InputError);
}

TEST_F(CsvTest, PassesOnWhatTheReaderThrows) {
  std::ofstream(path_) << "a\nb\n";
  EXPECT_THROW(read_csv(path_, [](const CsvRow&) { throw UsageError("enough"); }), UsageError);
}

TEST_F(CsvTest, QuotesOnlyWhatItMust) {
  EXPECT_EQ(csv_field("tabby"), "tabby");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("a\"b"), "\"a\"\"b\"");
}

TEST_F(CsvTest, ANameIsNoFormula) {
  EXPECT_EQ(csv_name("tabby"), "tabby");
  EXPECT_EQ(csv_name("=1+1"), "'=1+1");
  EXPECT_EQ(csv_name("@a,b"), "\"'@a,b\"");
  EXPECT_EQ(csv_name(""), "");
}

}  // namespace
}  // namespace tessera
