#include "evaluation/compare/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "core/file_lock.h"
#include "evaluation/compare/run_ledger.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

// Of a picture's file in bytes; -1 where it cannot be looked at (reading it will say why).
std::int64_t size_of(const Sample& sample) {
  if (sample.size >= 0) return sample.size;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(sample.path, error);
  return error ? -1 : static_cast<std::int64_t>(size);
}

// The log of the same merge made before may be replaced, and one without a row.
void refuse_other_log(const std::filesystem::path& path, const RunHeader& header) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return;
  const auto refuse = [&](const std::string& why) {
    throw UsageError(path.string() + ": " + why + "; give another --out, or --force to replace it");
  };
  if (!std::filesystem::is_regular_file(status)) refuse("is there, and is no file of its own");
  try {
    const ComparisonResult there = read_run_log(path);
    if (there.rows.empty()) return;
    if (there.header.shard == header.shard && there.header.settings == header.settings) return;
  } catch (const InputError& problem) {
    throw UsageError(std::string(problem.what()) + "; give another --out, or --force to replace it");
  }
  refuse("is the log of another comparison");
}

void refuse_gap(const RunHeader& header, const std::vector<ComparisonRow>& rows) {
  for (std::size_t i = 0; i < rows.size() + 1; ++i) {
    const bool there = i < rows.size() && rows[i].number == static_cast<std::int64_t>(i);
    if (there || static_cast<std::int64_t>(i) == header.pictures) continue;
    throw InputError(fmt::format(
        "picture {} of {} is in none of the shards ({} pictures are there): a shard is missing or has not ended", i,
        header.pictures, rows.size()));
  }
}

}  // namespace

std::string dataset_hash(const Dataset& dataset) {
  std::string text;
  for (const Sample& sample : dataset.samples) {
    text += fmt::format("{}/{}\t{}\t{}\n", sample.folder, sample.name, sample.label, size_of(sample));
  }
  return sha256(std::as_bytes(std::span(text)));
}

ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop, const RunVoice& voice) {
  RunLedger ledger(
      dataset, plan, [&stop] { return stop.load(); }, voice);
  if (ledger.left() > 0) compare_models(models, dataset, plan.options, ledger);
  return ledger.finish();
}

ComparisonResult join_runs(std::vector<ComparisonResult> records, const std::vector<std::string>& names) {
  std::vector<RunPart> parts;
  for (const ComparisonResult& record : records) {
    if (record.parts.empty()) {
      parts.push_back({.pictures = static_cast<std::int64_t>(record.rows.size()), .loop_ms = record.loop_ms});
    }
    parts.insert(parts.end(), record.parts.begin(), record.parts.end());
  }
  ComparisonResult joined = std::move(records.front());
  if (parts.size() > 1) joined.parts = std::move(parts);
  for (std::size_t i = 1; i < records.size(); ++i) {
    ComparisonResult& other = records[i];
    const std::string differing = differing_settings(joined.header, other.header);
    if (other.header.settings != joined.header.settings || !differing.empty()) {
      throw InputError(names[i] + ": is a shard of another run than " + names.front() + " (" + differing + ")");
    }
    joined.sittings.insert(joined.sittings.end(), other.sittings.begin(), other.sittings.end());
    joined.rows.insert(joined.rows.end(), std::make_move_iterator(other.rows.begin()),
                       std::make_move_iterator(other.rows.end()));
    joined.loop_ms += other.loop_ms;
    joined.load_ms += other.load_ms;
    joined.alone_pictures += other.alone_pictures;
    joined.notes.insert(joined.notes.end(), other.notes.begin(), other.notes.end());
  }
  std::ranges::stable_sort(joined.rows, {}, &ComparisonRow::number);
  const auto twice = std::ranges::adjacent_find(joined.rows, {}, &ComparisonRow::number);
  if (twice != joined.rows.end()) {
    throw InputError(fmt::format("picture {} ({}) is in two of the shards", twice->number, twice->sample.name));
  }
  joined.header.shard = {};
  refuse_gap(joined.header, joined.rows);
  complete(joined);
  return joined;
}

void write_run_log(const std::filesystem::path& folder, const ComparisonResult& record, bool force) {
  const std::filesystem::path path = folder / kRunLogName;
  const FileLock lock = FileLock::try_for(path, FileLock::If::kThere);  // as who writes a log holds it
  if (!lock.held()) throw UsageError(path.string() + ": another process is writing this run; give another --out");
  if (!force) refuse_other_log(path, record.header);
  write_file(path, run_log_text(record));
}

ComparisonResult read_run(const std::filesystem::path& folder) { return read_run_log(folder / kRunLogName); }

bool has_run_log(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::exists(folder / kRunLogName, error);
}

}  // namespace tessera
