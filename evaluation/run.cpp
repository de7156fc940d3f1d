#include "evaluation/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "core/file_lock.h"
#include "core/json.h"
#include "evaluation/model_names.h"
#include "evaluation/panels.h"
#include "evaluation/predictions_csv.h"
#include "evaluation/run_ledger.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

// Pictures of the data set that belong to a shard.
std::size_t pictures_of(const RunHeader& header) {
  const std::int64_t count = header.shard.count;
  return static_cast<std::size_t>((header.pictures - (header.shard.index - 1) + count - 1) / count);
}

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
    const RunRecord there = read_run_log(path);
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

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw ResourceError(folder.string() + ": cannot be made (" + (error ? error : ignored).message() + ")");
  }
}

ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop, const RunVoice& voice) {
  RunLedger ledger(
      dataset, plan, [&stop] { return stop.load(); }, voice);
  if (ledger.left() > 0) compare_models(models, dataset, plan.options, ledger);
  return ledger.finish();
}

ComparisonResult result_of(RunRecord record) {
  ComparisonResult result{.models = std::move(record.header.models),
                          .labels = std::move(record.header.labels),
                          .rows = std::move(record.rows),
                          .loop_ms = record.loop_ms,
                          .total_ms = record.loop_ms + record.load_ms,
                          .alone_pictures = record.alone_pictures};
  // Logs of earlier versions have names as the cards have them.
  std::vector<NamedModel> named;
  for (const ComparedModel& model : result.models) named.push_back({model.name, ""});
  const std::vector<std::string> names = distinct_names(named);
  for (std::size_t m = 0; m < names.size(); ++m) result.models[m].name = names[m];
  result.interrupted = result.rows.size() < pictures_of(record.header);
  result.sittings = std::move(record.sittings);
  const nlohmann::json& settings = record.header.settings;
  if (settings.is_object()) result.sample = picture_sample_from_json(settings.value("sample", nlohmann::json()));
  result.parts = std::move(record.parts);
  if (settings.is_object()) {
    const auto mode = settings.find("mode"), warmup = settings.find("warmup");
    result.overlapped = mode != settings.end() && *mode == to_string(ComparisonMode::kThroughput);
    if (warmup != settings.end() && warmup->is_number_integer()) result.warmup = warmup->get<int>();
  }
  return result;
}

RunRecord join_runs(std::vector<RunRecord> records, const std::vector<std::string>& names) {
  std::vector<RunPart> parts;
  for (const RunRecord& record : records) {
    if (record.parts.empty()) {
      parts.push_back({.pictures = static_cast<std::int64_t>(record.rows.size()), .loop_ms = record.loop_ms});
    }
    parts.insert(parts.end(), record.parts.begin(), record.parts.end());
  }
  RunRecord joined = std::move(records.front());
  if (parts.size() > 1) joined.parts = std::move(parts);
  for (std::size_t i = 1; i < records.size(); ++i) {
    RunRecord& other = records[i];
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
  return joined;
}

void write_run_log(const std::filesystem::path& folder, const RunRecord& record, bool force) {
  const std::filesystem::path path = folder / kRunLogName;
  const FileLock lock = FileLock::try_for(path, FileLock::If::kThere);  // as who writes a log holds it
  if (!lock.held()) throw UsageError(path.string() + ": another process is writing this run; give another --out");
  if (!force) refuse_other_log(path, record.header);
  write_file(path, run_log_text(record));
}

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

RunRecord read_run(const std::filesystem::path& folder) { return read_run_log(folder / kRunLogName); }

bool has_run_log(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::exists(folder / kRunLogName, error);
}

}  // namespace tessera
