#pragma once
// A process of mpirun other than rank 0: it gets its pictures from rank 0 and sends its rows to rank 0.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>

#include "core/error.h"
#include "evaluation/compare/run.h"
#include "scale/messenger.h"

namespace tessera {

class Helper final : private Work {
 public:
  // `stop` ends the whole run, as on rank 0. Both must outlive the helper.
  Helper(Messenger& messenger, const std::atomic<bool>& stop);
  ~Helper() override;

  // Does its part of the run. Throws as compare_models does, and InternalError for a message that rank 0 never sends.
  // Ends early when rank 0 asks for that.
  void run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset, const RunPlan& plan);
  // Sends the error to rank 0, which reports it and ends the run.
  void fail(ErrorKind kind, const std::string& text);
  // Waits until rank 0 has written the results: if a process ended earlier with another code than 0, mpirun would end
  // all others.
  void wait_for_end();

 private:
  void begin(double alone) override;
  std::vector<std::int64_t> next(std::size_t most) override;
  void take(std::span<const ComparisonRow> rows) override;
  bool stopped() const override { return stop_ || stopped_; }

  void on_message(const Message& message);
  void handle(const Message& message);
  // Asks for numbers, unless a request is unanswered. Releases the lock meanwhile: send() may wait for the messenger,
  // which may wait for on_message().
  void ask(std::unique_lock<std::mutex>& lock);

  Messenger& messenger_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> stopped_{false};  // by rank 0
  std::mutex mutex_;                  // guards all that follows
  std::condition_variable changed_;
  std::deque<std::int64_t> stock_;
  bool asked_ = false;
  bool nothing_left_ = false;
  bool ended_ = false;
  std::int64_t pictures_ = 0;      // of the data set
  std::exception_ptr unreadable_;  // what was wrong with a message; thrown by next()
};

}  // namespace tessera
