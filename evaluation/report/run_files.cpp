#include "evaluation/report/run_files.h"

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "evaluation/compare/predictions_csv.h"
#include "evaluation/report/panels.h"
#include "vision/picture_files.h"

namespace tessera {

void write_figure(const std::filesystem::path& folder, const ComparisonResult& result,
                  const ComparisonSummary& summary) {
  const Panels panels = draw_panels(summary, result);
  write_file(folder / "panels.png", panels.png);
  write_file(folder / "panels.svg", panels.svg);
}

nlohmann::json read_run_json(const std::filesystem::path& folder) {
  constexpr std::uintmax_t kMostBytes = 16 << 20;
  try {
    const nlohmann::json json = parse_json(read_file(folder / "run.json", kMostBytes));
    return json.is_object() ? json : nlohmann::json();
  } catch (const InputError&) {
    return {};  // a run that was copied without it
  }
}

std::vector<Sample> pictures_of_run(const nlohmann::json& run) {
  const auto data = run.is_object() ? run.find("data") : run.end();
  if (data == run.end() || !data->is_string()) return {};
  try {
    return list_pictures(data->get<std::string>());
  } catch (const InputError&) {
    return {};  // moved, or on another machine
  }
}

nlohmann::json merged_run_json(const nlohmann::json& settings, const std::vector<std::string>& folders) {
  nlohmann::json merged = settings;
  merged["merged"] = folders;
  merged["shards"] = nlohmann::json::array();
  for (const std::string& folder : folders) {
    const nlohmann::json run = read_run_json(folder);
    nlohmann::json shard{{"folder", folder}};
    for (const char* field : {"data", "shard", "environment", "command"}) {
      if (run.is_object() && run.contains(field)) shard[field] = run[field];
    }
    if (!merged.contains("data") && shard.contains("data")) merged["data"] = shard["data"];
    merged["shards"].push_back(std::move(shard));
  }
  return merged;
}

void write_results(const std::filesystem::path& folder, const ComparisonResult& result,
                   const ComparisonSummary& summary, const ReportContext& report) {
  write_file(folder / "predictions.csv", predictions_csv(result));
  write_figure(folder, result, summary);
  write_file(folder / "summary.json", json_text(summary_json(summary, result)));
  write_file(folder / "report.html", report_page(result, summary, report));
}

}  // namespace tessera
