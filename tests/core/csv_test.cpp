#include "core/csv.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/text.h"

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

TEST_F(CsvTest, TakesSemicolonsAndTabsWhereTheFirstLinesAreSoParted) {
  EXPECT_EQ(rows("image;gt\n\"a;b.jpg\";1\n"), (Rows{{"image", "gt"}, {"a;b.jpg", "1"}}));
  EXPECT_EQ(rows("image\tlabel\na, b.jpg\ttench, Tinca\n"), (Rows{{"image", "label"}, {"a, b.jpg", "tench, Tinca"}}));
  EXPECT_EQ(rows("my, cat.jpg;7\ndog.jpg;8\n"), (Rows{{"my, cat.jpg", "7"}, {"dog.jpg", "8"}}));
  EXPECT_EQ(rows("a;b.jpg,7\nc.jpg,8\n"), (Rows{{"a;b.jpg", "7"}, {"c.jpg", "8"}}));
  EXPECT_EQ(rows("sep=;\r\na;b,c\r\n"), (Rows{{"a", "b,c"}}));
  EXPECT_EQ(rows("a;b\n"), (Rows{{"a", "b"}}));
  EXPECT_EQ(rows("a,b\nc\n"), (Rows{{"a", "b"}, {"c"}}));
}

// "name,1\n" and a character beyond 16 bits, in the given order of bytes.
std::string utf16(bool big, std::size_t rows) {
  std::u16string text = u"\uFEFF";
  for (std::size_t i = 0; i < rows; ++i) text += u"M\u00FC\U0001F408,1\n";
  std::string bytes;
  for (const char16_t unit : text) {
    const auto high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xFF);
    bytes += big ? high : low;
    bytes += big ? low : high;
  }
  return bytes;
}

TEST_F(CsvTest, ReadsUtf16WithItsMark) {
  constexpr std::size_t kRows = 20'000;  // of 12 bytes and more: over several blocks
  const Rows expected(kRows, {"M\xC3\xBC\xF0\x9F\x90\x88", "1"});
  EXPECT_EQ(rows(utf16(false, kRows)), expected);
  EXPECT_EQ(rows(utf16(true, kRows)), expected);
}

TEST_F(CsvTest, RefusesWhatIsNoTextAndSaysWhatToDo) {
  EXPECT_NE(error(utf16(false, 2).substr(2)).find("UTF-16 without a byte order mark; save it as UTF-8"),
            std::string::npos);
  EXPECT_NE(error(utf16(false, 2).substr(0, 21)).find("cut off"), std::string::npos);
  EXPECT_NE(error(std::string("\xFF\xFE\x00\xD8"
                              "a\0",
                              6))
                .find("UTF-16"),
            std::string::npos);
  EXPECT_NE(error(std::string("\xFF\xFE\0\0a\0\0\0", 8)).find("UTF-32"), std::string::npos);
  EXPECT_NE(error("PK\x03\x04...").find("workbook"), std::string::npos);
  EXPECT_NE(error("\x1F\x8B...").find("gzip"), std::string::npos);
}

TEST_F(CsvTest, WritesEveryTextSoThatItComesBackAndDoesNoHarm) {
  const std::vector<std::string> texts{
      "M\xFC"
      "cke.jpg",
      "M\xC3\xBC"
      "cke.jpg",
      "\xC3",
      "\xED\xA0\x80",
      "\xF4\x90\x80\x80",
      "\xC0\xAF",
      "=1+2",
      "+a",
      "-b",
      "@c",
      "\\x41",
      "\\x5C\\x41",
      "\\xZZ",
      "a\\b",
      "two\nlines\r",
      "\x1B[31m",
      "\xC2\x9B"
      "0m",
      "tab\t",
      "\"q\", r; s",
      "",
      "'=x"};
  std::string file;
  for (const std::string& text : texts) {
    const std::string field = csv_field(text);
    EXPECT_EQ(std::string("=+-@").find(field.empty() ? 'a' : field[0]), std::string::npos) << field;
    for (const char c : field) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7F) << field;
    for (std::string_view rest = field; !rest.empty(); rest.remove_prefix(utf8_length(rest))) {
      ASSERT_GT(utf8_length(rest), 0U) << field;
    }
    file += "x," + field + "\n";
  }
  std::size_t row = 0;
  for (const std::vector<std::string>& fields : rows(file)) EXPECT_EQ(csv_text(fields.at(1)), texts[row++]);
  EXPECT_EQ(row, texts.size());
  EXPECT_EQ(csv_field("=1+2"), "\\x3D1+2");
  EXPECT_EQ(csv_field("M\xFC"
                      "cke"),
            "M\\xFCcke");
  EXPECT_EQ(csv_field("a\\b"), "a\\b");
}

TEST_F(CsvTest, QuotesOnlyWhatItMust) {
  EXPECT_EQ(csv_field("tabby"), "tabby");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("a\"b"), "\"a\"\"b\"");
}

}  // namespace
}  // namespace tessera
