#include "core/csv.h"

#include <csv.h>

#include <array>
#include <fstream>
#include <new>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

constexpr std::size_t kLongestRow = std::size_t{1} << 20;
constexpr std::size_t kGrowth = std::size_t{64} << 10;  // of a field; libcsv's own 128 bytes copy a long one many times

// libcsv's parser, and the rows that it has completed. Its callbacks only collect: no exception crosses the library.
class Parser {
 public:
  Parser() {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });  // spaces are part of a field
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

}  // namespace

void read_csv(const std::filesystem::path& path, FunctionRef<void(const CsvRow&)> row) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(path.string() + ": no such file, or not a regular one");
  }
  std::ifstream file(path, std::ios::binary);
  Parser parser;
  const auto pass_rows = [&](bool good) {
    for (const CsvRow& complete : parser.take_rows()) row(complete);
    const std::string where = path.string() + ": row " + std::to_string(parser.row());
    if (!good) throw InputError(where + ": a quote stands where none may, or is not closed");
    if (parser.too_long()) throw InputError(where + ": longer than 1 MiB; this is no table");
  };
  std::array<char, 1 << 16> block;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into below
  for (bool first = true; file; first = false) {
    file.read(block.data(), block.size());
    std::string_view text(block.data(), static_cast<std::size_t>(file.gcount()));
    if (first && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    pass_rows(parser.parse(text));
  }
  if (!file.eof()) throw InputError(path.string() + ": cannot be read");
  pass_rows(parser.finish());
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string csv_name(std::string_view text) {
  const bool formula = !text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos;
  return csv_field(formula ? "'" + std::string(text) : std::string(text));
}

}  // namespace tessera
