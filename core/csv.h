#pragma once
// Comma-separated values (RFC 4180): a quoted field may hold commas, quotes ("") and line ends. Semicolons or tabs may
// separate fields as well, as spreadsheets and pandas write them.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/function_ref.h"

namespace tessera {

struct CsvRow {
  std::size_t number = 0;  // from 1; empty lines are not counted
  std::vector<std::string> fields;
};

// Calls `row` for each row of the file, which is read block by block, in UTF-8 or, with a byte order mark, UTF-16
// (core/text.h). The separator is the character that the first two lines hold equally often outside quotes, or the one
// that a first line "sep=;" names; a comma where that is not clear. Exceptions of `row` pass through. Throws
// InputError, naming the file and the row, for a file that cannot be read or is not text, a quote out of place, or a
// row of more than 1 MiB.
void read_csv(const std::filesystem::path& path, FunctionRef<void(const CsvRow& row)> row);

// The field as it is written to a file, and back: quoted where it must be, escaped() (core/text.h), and with \xHH for a
// first '=', '+', '-' or '@', which a spreadsheet would take for a formula. For texts, not for numbers.
std::string csv_field(std::string_view text);
std::string csv_text(std::string_view field);

// The text without spaces, tabs and line ends at either end.
std::string_view trimmed(std::string_view text);

}  // namespace tessera
