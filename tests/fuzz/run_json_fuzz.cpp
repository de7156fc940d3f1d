// run.json, which `analyze` and `merge` read beside a log, and the report that quotes it.
#include <nlohmann/json.hpp>

#include "evaluation/report/run_files.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  fuzz::put_file("run.json", data, size);
  bool accepted = false;
  const bool answered = fuzz::expect_answer([&] {
    nlohmann::json run = read_run_json(fuzz::folder());
    if (run.is_null()) return;
    accepted = true;
    merged_run_json({{"seed", 1}}, {fuzz::folder().string()});
    if (run.contains("data") && run["data"].is_string()) run["data"] = fuzz::folder().string();  // no other is listed
    ReportContext context;
    context.pictures = pictures_of_run(run);
    context.run = std::move(run);
    ComparisonResult result{
        .header = {.models = {{.name = "a", .prefix = "a"}}, .labels = LabelSet::custom({"x", "y"})}};
    ComparisonRow row{.sample = {.name = "p.jpg", .label = 1}};
    row.predictions.resize(1);
    set_best(row.predictions[0], {{1, 0.75}, {0, 0.25}}, 1);
    result.rows.push_back(std::move(row));
    const ComparisonSummary summary = summarise(result);
    if (report_page(result, summary, context).empty()) std::abort();
  });
  return fuzz::verdict(answered && accepted);
}
