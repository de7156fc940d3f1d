#pragma once
// A comparison as it is run: logged, resumable, sharded.

#include <atomic>
#include <filesystem>

#include "evaluation/compare/run_ledger.h"

namespace tessera {

// SHA-256 of the names, folders, labels and sizes of the pictures in order, in hexadecimal digits.
std::string dataset_hash(const Dataset& dataset);

// Runs the pictures of the shard that are not yet in the folder's log, and returns all rows of the shard. Throws as
// RunLog and compare_models do.
ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop, const RunVoice& voice);

// Joins the logs of one run: one log, or all its shards. Throws InputError for logs of different runs, for a picture in
// two of them and, where there are several logs, for a picture in none.
ComparisonResult join_runs(std::vector<ComparisonResult> records, const std::vector<std::string>& names);
// Writes the joined run as folder/run.log. Throws UsageError where that is the log of another comparison (unless
// `force`) or where a process is writing it.
void write_run_log(const std::filesystem::path& folder, const ComparisonResult& record, bool force);

// The log of the run in that folder. Throws as read_run_log does.
ComparisonResult read_run(const std::filesystem::path& folder);
bool has_run_log(const std::filesystem::path& folder);

}  // namespace tessera
