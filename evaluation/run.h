#pragma once
// A comparison with its log: resumable and sharded; and the files that it writes.

#include <atomic>
#include <filesystem>
#include <functional>

#include "evaluation/comparison.h"
#include "evaluation/report.h"
#include "evaluation/run_log.h"
#include "evaluation/summary.h"

namespace tessera {

// SHA-256 of the names, folders, labels and sizes of the pictures in order, in hexadecimal digits.
std::string dataset_hash(const Dataset& dataset);

struct RunPlan {
  RunHeader header;
  std::filesystem::path folder;  // is made if it is not there
  bool resume = true;
  nlohmann::json environments = nlohmann::json::array();  // of the processes that run
  ComparisonOptions options;
};

// The log of a run, in its folder.
inline constexpr const char* kRunLogName = "run.log";

// Messages to the user while a run lasts.
struct RunVoice {
  std::function<void(const ComparisonProgress&)> progress;  // after each batch
  std::function<void(const std::string&)> note;
};

// Runs the pictures of the shard that are not yet in the folder's log, and returns all rows of the shard. Throws as
// RunLog and compare_models do.
ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop, const RunVoice& voice);

// Joins the logs of one run: one log, or all its shards. Throws InputError for logs of different runs, for a picture in
// two of them and, where there are several logs, for a picture in none.
RunRecord join_runs(std::vector<RunRecord> records, const std::vector<std::string>& names);
// Writes the joined record as folder/run.log. Throws UsageError where that file is the log of another comparison
// (unless `force`), or where a process is writing it.
void write_run_log(const std::filesystem::path& folder, const RunRecord& record, bool force);

// The result of a record. An unfinished one is marked as interrupted.
ComparisonResult result_of(RunRecord record);

// The log of the run in that folder. Throws as read_run_log does.
RunRecord read_run(const std::filesystem::path& folder);
bool has_run_log(const std::filesystem::path& folder);

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

// A folder for results. Throws ResourceError.
void make_folder(const std::filesystem::path& folder);

}  // namespace tessera
