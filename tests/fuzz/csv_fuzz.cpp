// Tables: any text is rows or refused, and what was read comes back from what is written.
#include "core/csv.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (unescaped(escaped(bytes)) != bytes) std::abort();
  const auto table = fuzz::put_file("table.csv", data, size);
  return fuzz::verdict(fuzz::expect_answer([&] {
    read_csv(table, [](const CsvRow& row) {
      for (const std::string& field : row.fields) {
        const std::string written = csv_field(field);
        if (written.empty() != field.empty()) std::abort();
        if (!written.empty() && written.front() != '"' && csv_text(written) != field) std::abort();
      }
    });
  }));
}
