#include "core/csv.h"

#include <csv.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <new>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace tessera {

namespace {

constexpr std::size_t kLongestRow = std::size_t{1} << 20;
constexpr std::size_t kGrowth = std::size_t{64} << 10;  // of a field; libcsv's own 128 bytes copy a long one many times

// libcsv's parser, and the rows that it has completed. Its callbacks only collect: no exception crosses the library.
class Parser {
 public:
  explicit Parser(char separator) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });  // spaces are part of a field
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
    csv_set_blk_size(&parser_, kGrowth);
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // False where the text is not CSV.
  bool parse(std::string_view text) {
    return csv_parse(&parser_, text.data(), text.size(), &Parser::add_field, &Parser::end_row, this) == text.size();
  }
  bool finish() { return csv_fini(&parser_, &Parser::add_field, &Parser::end_row, this) == 0; }

  std::vector<CsvRow> take_rows() { return std::exchange(rows_, {}); }
  std::size_t row() const noexcept { return row_.number + 1; }
  bool too_long() const noexcept { return length_ > kLongestRow || csv_get_buffer_size(&parser_) > 2 * kLongestRow; }

 private:
  static void add_field(void* text, std::size_t length, void* self) noexcept {
    auto& parser = *static_cast<Parser*>(self);
    parser.length_ += length + 1;
    if (parser.length_ > kLongestRow) return;
    parser.row_.fields.emplace_back(static_cast<const char*>(text), length);
  }
  static void end_row(int, void* self) noexcept {
    auto& parser = *static_cast<Parser*>(self);
    const std::size_t number = ++parser.row_.number;
    parser.rows_.push_back(std::exchange(parser.row_, {number, {}}));
    if (parser.length_ <= kLongestRow) parser.length_ = 0;
  }

  mutable csv_parser parser_{};
  std::vector<CsvRow> rows_;
  CsvRow row_;
  std::size_t length_ = 0;  // of the row at hand
};

constexpr std::array kSeparators{',', ';', '\t'};
using Counts = std::array<std::size_t, kSeparators.size()>;

// Counts each separator outside quotes in the first line of `text`, and takes the line off.
Counts count_in_line(std::string_view& text) {
  Counts counts{};
  bool quoted = false;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') quoted = !quoted;
    if (!quoted && c == '\n') break;
    for (std::size_t i = 0; i < kSeparators.size(); ++i) {
      if (!quoted && c == kSeparators[i]) ++counts[i];
    }
  }
  return counts;
}

// Takes off the line "sep=;" that spreadsheets write and read.
char said_separator(std::string_view& text) {
  constexpr std::string_view kMark = "sep=";
  if (!text.starts_with(kMark) || text.size() < kMark.size() + 2) return 0;
  const char separator = text[kMark.size()];
  const std::string_view rest = text.substr(kMark.size() + 1);
  const bool known = std::ranges::find(kSeparators, separator) != kSeparators.end();
  if (!known || !(rest.starts_with('\n') || rest.starts_with("\r\n"))) return 0;
  text = rest.substr(rest.find('\n') + 1);
  return separator;
}

char separator_of(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  text.remove_prefix(std::min(begin, text.size()));
  const Counts first = count_in_line(text);
  const bool one_line = text.empty();
  const Counts second = count_in_line(text);
  char found = 0;
  for (std::size_t i = 0; i < kSeparators.size(); ++i) {
    if (first[i] == 0 || (!one_line && second[i] != first[i])) continue;
    if (found != 0) return kSeparators.front();
    found = kSeparators[i];
  }
  if (found != 0) return found;
  // Rows of unequal lengths: a separator that alone stands in the first line still counts.
  const auto there = std::ranges::count_if(first, [](std::size_t count) { return count > 0; });
  for (std::size_t i = 0; i < kSeparators.size(); ++i) {
    if (there == 1 && first[i] > 0) return kSeparators[i];
  }
  return kSeparators.front();
}

}  // namespace

void read_csv(const std::filesystem::path& path, FunctionRef<void(const CsvRow&)> row) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(path.string() + ": no such file, or not a regular one");
  }
  std::ifstream file(path, std::ios::binary);
  TextReader reader(path.string());
  std::optional<Parser> parser;
  const auto pass_rows = [&](bool good) {
    for (const CsvRow& complete : parser->take_rows()) row(complete);
    const std::string where = path.string() + ": row " + std::to_string(parser->row());
    if (!good) throw InputError(where + ": a quote stands where none may, or is not closed");
    if (parser->too_long()) throw InputError(where + ": longer than 1 MiB; this is no table");
  };
  std::array<char, 1 << 16> block;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into below
  while (file) {
    file.read(block.data(), block.size());
    const std::string decoded = reader.add({block.data(), static_cast<std::size_t>(file.gcount())});
    std::string_view text = decoded;
    if (!parser) {
      const char said = said_separator(text);
      parser.emplace(said != 0 ? said : separator_of(text));
    }
    pass_rows(parser->parse(text));
  }
  if (!file.eof()) throw InputError(path.string() + ": cannot be read");
  reader.finish();
  pass_rows(parser->finish());
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::string csv_text(std::string_view field) { return unescaped(field); }

std::string csv_field(std::string_view raw) {
  std::string text = escaped(raw);
  // The first of these would make the cell a formula.
  for (const auto& [first, escape] : {std::pair{'=', "\\x3D"}, {'+', "\\x2B"}, {'-', "\\x2D"}, {'@', "\\x40"}}) {
    if (text.starts_with(first)) text.replace(0, 1, escape);
  }
  if (text.find_first_of(",;\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace tessera
