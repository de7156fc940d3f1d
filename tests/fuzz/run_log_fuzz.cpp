// The log of a run as a crash or a stranger left it: read, and gone on with. Checksums are put right, so that what is
// under them is read too.
#include "evaluation/compare/run.h"
#include "tests/fuzz/checksums.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tessera;

// The same command again: what is left is handed out, rows are logged behind what is there, and the log is one after.
void go_on(std::string_view text, const RunHeader& header) {
  constexpr std::int64_t kMostPictures = 100;  // so that one input takes milliseconds
  if (header.pictures > kMostPictures) return;
  Dataset dataset;
  dataset.samples.resize(static_cast<std::size_t>(header.pictures));
  RunPlan plan;
  plan.header = header;
  plan.folder = fuzz::folder();
  fuzz::put_file(kRunLogName, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  const RunVoice voice{.progress = [](const ComparisonProgress&) {}, .note = [](const std::string&) {}};
  ComparisonResult result;
  {
    RunLedger ledger(
        dataset, plan, [] { return false; }, voice);
    for (const std::int64_t number : ledger.next(kMostPictures)) {  // also those that could not be read before
      ComparisonRow row{.number = number, .sample = dataset.samples.at(static_cast<std::size_t>(number))};
      row.error = "could not be read";
      ledger.take(std::span(&row, 1));
    }
    result = ledger.finish();
  }
  const ComparisonResult after = read_run(plan.folder);
  const auto same = [](const ComparisonRow& a, const ComparisonRow& b) { return a.number == b.number; };
  if (!std::ranges::equal(after.rows, result.rows, same)) std::abort();
}

bool read(std::string_view text) {
  const fuzz::MemoryFile file(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return fuzz::expect_answer([&] {
    ComparisonResult record = read_run_log(file.path());
    go_on(text, record.header);
    join_runs({std::move(record)}, {"fuzz"});
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool as_it_is = read(text);
  const bool with_sums = read(with_checksums(text));
  return fuzz::verdict(as_it_is || with_sums);
}
