#include "evaluation/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "evaluation/panels.h"
#include "evaluation/predictions_csv.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

constexpr const char* kLogName = "run.log";

// Pictures of the data set that belong to a shard.
std::vector<std::int64_t> numbers_of(const RunHeader& header) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = header.shard.index - 1; number < header.pictures; number += header.shard.count) {
    numbers.push_back(number);
  }
  return numbers;
}

std::vector<std::int64_t> not_done(const RunHeader& header, const std::vector<ComparisonRow>& rows) {
  std::vector<std::int64_t> left;
  auto row = rows.begin();
  for (const std::int64_t number : numbers_of(header)) {
    row = std::ranges::lower_bound(row, rows.end(), number, {}, &ComparisonRow::number);
    if (row == rows.end() || row->number != number) left.push_back(number);
  }
  return left;
}

// The progress of this sitting with what earlier ones did.
class WholeProgress {
 public:
  WholeProgress(const std::vector<ComparisonRow>& before, std::size_t models, std::size_t left) {
    state_.done = before.size();
    state_.total = before.size() + left;
    state_.top1.resize(models);
    for (const ComparisonRow& row : before) {
      state_.errors += row.error.empty() ? 0 : 1;
      for (std::size_t m = 0; m < row.predictions.size(); ++m) {
        state_.top1[m] += row.predictions[m].top1_correct ? 1 : 0;
      }
    }
  }
  ComparisonProgress with(const ComparisonProgress& sitting) const {
    ComparisonProgress whole = state_;
    whole.here = sitting.done;
    whole.done += sitting.done;
    whole.errors += sitting.errors;
    whole.seconds = sitting.seconds;
    for (std::size_t m = 0; m < whole.top1.size(); ++m) whole.top1[m] += sitting.top1[m];
    return whole;
  }

 private:
  ComparisonProgress state_;
};

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
    text += fmt::format("{}/{}\t{}\n", sample.folder, sample.name, sample.label);
  }
  return sha256(std::as_bytes(std::span(text)));
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    throw ResourceError(folder.string() + ": cannot be made (" + error.message() + ")");
  }
}

ComparisonResult run_comparison(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                                const RunPlan& plan, const std::atomic<bool>& stop,
                                const std::function<void(const ComparisonProgress&)>& progress,
                                const std::function<void(const std::string&)>& note) {
  make_folder(plan.folder);
  RunLog log(plan.folder / kLogName, plan.header, plan.resume);
  RunRecord record = log.before();
  for (const std::string& text : record.notes) note((plan.folder / kLogName).string() + ": " + text);
  record.header = plan.header;
  for (ComparisonRow& row : record.rows) row.sample = dataset.samples[static_cast<std::size_t>(row.number)];
  const std::vector<std::int64_t> left = not_done(plan.header, record.rows);
  if (!record.rows.empty()) {
    note(fmt::format("Going on with {}: {} pictures are done, {} are left", (plan.folder / kLogName).string(),
                     record.rows.size(), left.size()));
  }
  const WholeProgress whole(record.rows, models.size(), left.size());
  double seconds = 0;
  const ComparisonHooks hooks{.row =
                                  [&](const ComparisonRow& row, double since_start) {
                                    log.append(row, since_start);
                                    record.rows.push_back(row);
                                    seconds = since_start;
                                  },
                              .progress = [&](const ComparisonProgress& state) { progress(whole.with(state)); }};
  compare_models(models, dataset, left, plan.options, stop, hooks);
  log.sync();
  constexpr double kMs = 1e3;
  record.loop_ms += seconds * kMs;
  for (const ComparedModel& model : plan.header.models) record.load_ms += model.load_ms;
  std::ranges::sort(record.rows, {}, &ComparisonRow::number);
  return result_of(std::move(record));
}

ComparisonResult result_of(RunRecord record) {
  ComparisonResult result{.models = std::move(record.header.models),
                          .labels = std::move(record.header.labels),
                          .rows = std::move(record.rows),
                          .loop_ms = record.loop_ms,
                          .total_ms = record.loop_ms + record.load_ms};
  result.interrupted = result.rows.size() < numbers_of(record.header).size();
  return result;
}

RunRecord join_runs(std::vector<RunRecord> records, const std::vector<std::string>& names) {
  RunRecord joined = std::move(records.front());
  for (std::size_t i = 1; i < records.size(); ++i) {
    RunRecord& other = records[i];
    if (other.header.settings != joined.header.settings || other.header.pictures != joined.header.pictures) {
      throw InputError(names[i] + ": is a shard of another run than " + names.front() + " (" +
                       differing_settings(joined.header, other.header) + ")");
    }
    joined.rows.insert(joined.rows.end(), std::make_move_iterator(other.rows.begin()),
                       std::make_move_iterator(other.rows.end()));
    joined.loop_ms += other.loop_ms;
    joined.load_ms += other.load_ms;
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

void write_run_log(const std::filesystem::path& folder, const RunRecord& record) {
  write_file(folder / kLogName, run_log_text(record));
}

void write_figure(const std::filesystem::path& folder, const ComparisonResult& result,
                  const ComparisonSummary& summary) {
  const Panels panels = draw_panels(summary, result);
  write_file(folder / "panels.png", panels.png);
  write_file(folder / "panels.svg", panels.svg);
}

void write_results(const std::filesystem::path& folder, const ComparisonResult& result,
                   const ComparisonSummary& summary) {
  write_file(folder / "predictions.csv", predictions_csv(result));
  write_figure(folder, result, summary);
  write_file(folder / "summary.json", summary_json(summary, result).dump(2) + "\n");
}

RunRecord read_run(const std::filesystem::path& folder) { return read_run_log(folder / kLogName); }

bool has_run_log(const std::filesystem::path& folder) { return std::filesystem::exists(folder / kLogName); }

}  // namespace tessera
