#pragma once
// Comma-separated values as RFC 4180 has them: fields may be quoted and then hold commas, quotes ("") and line ends.

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

// Calls `row` for each row of the file, which is read block by block. A byte order mark is skipped. What `row` throws
// passes through. Throws InputError, naming the file and the row, for a file that cannot be read, a quote out of place,
// a row of more than 1 MiB.
void read_csv(const std::filesystem::path& path, FunctionRef<void(const CsvRow& row)> row);

// The field as it is written to a file: quoted where it must be.
std::string csv_field(std::string_view text);
// The same for a name in a table that people open as a spreadsheet and nothing reads back: one that such a program
// would take for a formula ("=", "+", "-", "@" first) gets an apostrophe before it.
std::string csv_name(std::string_view text);

}  // namespace tessera
