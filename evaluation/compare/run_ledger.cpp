#include "evaluation/compare/run_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "evaluation/compare/picture_contents.h"

namespace tessera {

namespace {

// The pictures of the shard for which there is no row.
std::deque<std::int64_t> not_done(const RunHeader& header, const std::vector<ComparisonRow>& rows) {
  std::deque<std::int64_t> left;
  auto row = rows.begin();
  for (std::int64_t number = header.shard.index - 1; number < header.pictures; number += header.shard.count) {
    row = std::ranges::lower_bound(row, rows.end(), number, {}, &ComparisonRow::number);
    if (row == rows.end() || row->number != number) left.push_back(number);
  }
  return left;
}

// Takes out the rows of pictures that could not be read, which may have been mended since; how many.
std::size_t take_failed(std::vector<ComparisonRow>& rows) {
  return std::erase_if(rows, [](const ComparisonRow& row) { return !row.error.empty() && !row.model_failed; });
}

std::filesystem::path made(const std::filesystem::path& folder) {
  make_folder(folder);
  return folder;
}

}  // namespace

RunLedger::RunLedger(const Dataset& dataset, const RunPlan& plan, std::function<bool()> stop, const RunVoice& voice)
    : dataset_(dataset),
      plan_(plan),
      stop_(std::move(stop)),
      voice_(voice),
      log_(made(plan.folder) / kRunLogName, plan.header, plan.resume, plan.environments),
      record_(log_.before()),
      again_(take_failed(record_.rows)),
      left_(not_done(plan.header, record_.rows)) {
  const std::string log = (plan.folder / kRunLogName).string();
  for (const std::string& text : record_.notes) voice.note(log + ": " + text);
  if (plan.header.pictures != static_cast<std::int64_t>(dataset.samples.size())) {
    throw InternalError("a run's plan is of another data set");
  }
  expect_same_contents(log, dataset, record_.rows);
  record_.header = plan.header;
  progress_.total = record_.rows.size() + left_.size();
  progress_.top1.resize(plan.header.models.size());
  for (ComparisonRow& row : record_.rows) {
    row.sample = dataset.samples[static_cast<std::size_t>(row.number)];
    count(row);
  }
  if (again_ > 0) voice.note(fmt::format("{}: {} pictures could not be read and are tried again", log, again_));
  if (record_.rows.empty()) return;
  voice.note(
      fmt::format("Going on with {}: {} pictures are done, {} are left", log, record_.rows.size(), left_.size()));
}

std::size_t RunLedger::left() const {
  const std::scoped_lock lock(mutex_);
  return left_.size();
}

void RunLedger::begin(double alone) {
  const std::scoped_lock lock(mutex_);
  alone_ += alone;
  log_.append_alone(alone);
}

std::vector<std::int64_t> RunLedger::next(std::size_t most) {
  const std::scoped_lock lock(mutex_);
  if (!start_) start_ = Clock::now();
  const auto end = left_.begin() + static_cast<std::ptrdiff_t>(std::min(most, left_.size()));
  std::vector<std::int64_t> numbers(left_.begin(), end);
  left_.erase(left_.begin(), end);
  handed_out_.insert(numbers.begin(), numbers.end());
  return numbers;
}

double RunLedger::seconds() const { return start_ ? std::chrono::duration<double>(Clock::now() - *start_).count() : 0; }

void RunLedger::take(std::span<const ComparisonRow> rows) {
  const std::scoped_lock lock(mutex_);
  const double before = std::exchange(progress_.seconds, seconds());
  constexpr double kMs = 1e3;
  const double wall_ms =
      kMs * (progress_.seconds - before) / static_cast<double>(std::max<std::size_t>(rows.size(), 1));
  for (const ComparisonRow& row : rows) {
    if (handed_out_.erase(row.number) == 0) {
      throw InternalError(fmt::format("a row is of picture {}, which nobody was asked to run", row.number));
    }
    ComparisonRow& kept = record_.rows.emplace_back(row);
    kept.wall_ms = wall_ms;
    kept.sample = dataset_.samples[static_cast<std::size_t>(row.number)];
    log_.append(kept, progress_.seconds);
    count(kept);
    ++progress_.here;
  }
  voice_.progress(progress_);
}

void RunLedger::count(const ComparisonRow& row) {
  ++progress_.done;
  progress_.errors += row.error.empty() ? 0 : 1;
  for (std::size_t m = 0; m < row.predictions.size(); ++m) {
    progress_.top1[m] += row.predictions[m].top1_correct ? 1 : 0;
  }
}

ComparisonResult RunLedger::finish() {
  const std::scoped_lock lock(mutex_);
  log_.sync();
  constexpr double kMs = 1e3;
  record_.loop_ms += progress_.seconds * kMs;
  record_.alone_pictures += progress_.seconds * alone_;
  for (const ComparedModel& model : plan_.header.models) record_.load_ms += model.load_ms;
  std::ranges::sort(record_.rows, {}, &ComparisonRow::number);
  record_.sittings.push_back({.environments = plan_.environments,
                              .pictures = static_cast<std::int64_t>(progress_.here),
                              .loop_ms = progress_.seconds * kMs});
  complete(record_);
  return std::move(record_);
}

}  // namespace tessera
