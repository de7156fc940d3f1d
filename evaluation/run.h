#pragma once
// A comparison as it is run: logged, resumable, sharded; and the files that it leaves.

#include <atomic>
#include <filesystem>
#include <functional>

#include "evaluation/comparison.h"
#include "evaluation/report.h"
#include "evaluation/run_log.h"
#include "evaluation/summary.h"

namespace tessera {

// Of the names, folders, labels and sizes of the pictures, in their order; SHA-256 in hexadecimal digits.
std::string dataset_hash(const Dataset& dataset);

struct RunPlan {
  RunHeader header;
  std::filesystem::path folder;  // is made
  bool resume = true;
  nlohmann::json environments = nlohmann::json::array();  // of the processes that run
  ComparisonOptions options;
};

// The log of a run, in its folder.
inline constexpr const char* kRunLogName = "run.log";

// What a run says while it runs, for the user.
struct RunVoice {
  std::function<void(const ComparisonProgress&)> progress;  // after each batch
  std::function<void(const std::string&)> note;
};

// Runs what of the shard is not in the folder's log yet and gives all rows of the shard. Throws as RunLog and
// compare_models do.
ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop, const RunVoice& voice);

// What is in logs of one run: one log, or all its shards. Throws InputError for logs of different runs, for a picture
// that is in two of them or, in more than one log, in none.
RunRecord join_runs(std::vector<RunRecord> records, const std::vector<std::string>& names);
// Writes the joined record as folder/run.log. Throws UsageError where that is the log of another comparison (unless
// `force`) or where a process is writing it.
void write_run_log(const std::filesystem::path& folder, const RunRecord& record, bool force);

// The result that a record comes to. An unfinished one is marked as interrupted.
ComparisonResult result_of(RunRecord record);

// The log of the run in that folder. Throws as read_run_log does.
RunRecord read_run(const std::filesystem::path& folder);
bool has_run_log(const std::filesystem::path& folder);

// panels.png and panels.svg, each whole or not there. Throws ResourceError.
void write_figure(const std::filesystem::path& folder, const ComparisonResult& result,
                  const ComparisonSummary& summary);

// run.json of that folder: settings, environment, command. Null where there is none that can be read.
nlohmann::json read_run_json(const std::filesystem::path& folder);

// The pictures that a run (its run.json) was made on, where its data can still be read; otherwise none.
std::vector<Sample> pictures_of_run(const nlohmann::json& run);

// The settings of the shards' run with the data, environment and command of each shard.
nlohmann::json merged_run_json(const nlohmann::json& settings, const std::vector<std::string>& folders);

// predictions.csv, summary.json, the figure and report.html, each whole or not there. Throws ResourceError.
void write_results(const std::filesystem::path& folder, const ComparisonResult& result,
                   const ComparisonSummary& summary, const ReportContext& report);

// A folder for results. Throws ResourceError.
void make_folder(const std::filesystem::path& folder);

}  // namespace tessera
