// Tables of predictions, ours and the article's, and what they come to.
#include <nlohmann/json.hpp>

#include "evaluation/compare/predictions_csv.h"
#include "evaluation/summary/summary.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const fuzz::MemoryFile file(data, size);
  const bool accepted = fuzz::expect_answer([&] {
    const ComparisonResult result = read_predictions_csv(file.path());
    const ComparisonSummary summary = summarise(result);
    if (summary_text(summary, result).empty() || summary_json(summary, result).empty()) std::abort();
  });
  return fuzz::verdict(accepted);
}
