#pragma once
// Keeps track of a run: hands out the pictures that are left and logs the rows that are done.

#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>

#include "core/clock.h"
#include "evaluation/compare/comparison.h"
#include "evaluation/compare/run_log.h"
#include "evaluation/compare/work.h"

namespace tessera {

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

// Thread-safe: several takers may share it.
class RunLedger final : public Work {
 public:
  // Opens the folder's log and continues it; throws as RunLog does. `stop` (thread-safe) ends the run after the batch
  // at hand. The others must outlive the ledger.
  RunLedger(const Dataset& dataset, const RunPlan& plan, std::function<bool()> stop, const RunVoice& voice);

  std::size_t left() const;  // pictures not handed out yet

  void begin(double alone) override;
  std::vector<std::int64_t> next(std::size_t most) override;
  // Writes each row to the log. Throws ResourceError when the disk is full; InternalError for a row of a picture that
  // next() did not give or that already has its row.
  void take(std::span<const ComparisonRow> rows) override;
  bool stopped() const override { return stop_(); }

  // The last call: flushes everything to the disk and returns all rows, also those of earlier sittings.
  ComparisonResult finish();

 private:
  void count(const ComparisonRow& row);
  double seconds() const;  // since the first picture

  const Dataset& dataset_;
  const RunPlan& plan_;
  const std::function<bool()> stop_;
  const RunVoice& voice_;
  mutable std::mutex mutex_;  // guards all that follows
  RunLog log_;
  ComparisonResult record_;
  std::size_t again_;  // pictures that failed in earlier sittings
  std::deque<std::int64_t> left_;
  std::set<std::int64_t> handed_out_;  // without a row yet
  ComparisonProgress progress_;
  std::optional<Clock::time_point> start_;
  double alone_ = 0;  // summed over the processes
};

}  // namespace tessera
