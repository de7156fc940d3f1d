#pragma once
// The files that a comparison leaves in its folder.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/report/report.h"
#include "evaluation/summary/summary.h"

namespace tessera {

// panels.png and panels.svg, each whole or not there. Throws ResourceError.
void write_figure(const std::filesystem::path& folder, const ComparisonResult& result,
                  const ComparisonSummary& summary);

// run.json of that folder: settings, environment, command. Null where it is missing or cannot be read.
nlohmann::json read_run_json(const std::filesystem::path& folder);

// The pictures of a run (of its run.json), where its data can still be read; otherwise none.
std::vector<Sample> pictures_of_run(const nlohmann::json& run);

// The settings of the shards' common run, with the data, environment and command of each shard.
nlohmann::json merged_run_json(const nlohmann::json& settings, const std::vector<std::string>& folders);

// predictions.csv, summary.json, the figure and report.html, each whole or not there. Throws ResourceError.
void write_results(const std::filesystem::path& folder, const ComparisonResult& result,
                   const ComparisonSummary& summary, const ReportContext& report);

}  // namespace tessera
