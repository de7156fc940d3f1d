// The log of a run as a crash or a stranger left it. Checksums are put right, so that what is under them is read too.
#include <fmt/format.h>
#include <zlib.h>

#include "evaluation/run.h"
#include "tests/fuzz/fuzz.h"

namespace {

std::string with_checksums(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    lines += fmt::format("{:08x} {}\n", ::crc32_z(0, reinterpret_cast<const Bytef*>(line.data()), line.size()), line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool read(std::string_view text) {
  using namespace tessera;
  const fuzz::MemoryFile file(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return fuzz::expect_answer([&] { result_of(join_runs({read_run_log(file.path())}, {"fuzz"})); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool as_it_is = read(text);
  const bool with_sums = read(with_checksums(text));
  return tessera::fuzz::verdict(as_it_is || with_sums);
}
