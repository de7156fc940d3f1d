#pragma once
// Comma-separated values as RFC 4180 has them: fields may be quoted and then hold commas, quotes ("") and line ends.
// Semicolons or tabs may part them as well, as spreadsheets and pandas write them.

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
// (core/text.h). What parts the fields is what the first two lines have equally often outside quotes, or what a first
// line "sep=;" says; commas where that is not clear. What `row` throws passes through. Throws InputError, naming the
// file and the row, for a file that cannot be read or is no text, a quote out of place, a row of more than 1 MiB.
void read_csv(const std::filesystem::path& path, FunctionRef<void(const CsvRow& row)> row);

// The field as it is written to a file, and back: quoted where it must be, escaped() (core/text.h), and with \xHH for a
// first '=', '+', '-' or '@', which would make it a formula of a spreadsheet. For texts, not for numbers.
std::string csv_field(std::string_view text);
std::string csv_text(std::string_view field);

// Without spaces, tabs and line ends at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace tessera
