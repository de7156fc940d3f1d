#pragma once
// A process of an mpirun that is not rank 0: it gets its pictures from there and sends its rows there.

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

  // Its part of the run. Throws as compare_models does, and InternalError for a message that rank 0 does not send. It
  // ends early when rank 0 wants that.
  void run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset, const RunPlan& plan);
  // The error is said by rank 0, which ends the run.
  void fail(ErrorKind kind, const std::string& text);
  // Until rank 0 has written the results: a process that ends earlier, other than with 0, has mpirun end all others.
  void wait_for_end();

 private:
  void begin(double alone) override;
  std::vector<std::int64_t> next(std::size_t most) override;
  void take(std::span<const ComparisonRow> rows) override;
  bool stopped() const override { return stop_ || stopped_; }

  void on_message(const Message& message);
  void handle(const Message& message);
  // Asks for numbers, once until it is answered. The lock is given free meanwhile: send() may wait for the messenger,
  // which may wait for on_message().
  void ask(std::unique_lock<std::mutex>& lock);

  Messenger& messenger_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> stopped_{false};  // by rank 0
  std::mutex mutex_;                  // of all that follows
  std::condition_variable changed_;
  std::deque<std::int64_t> stock_;
  bool asked_ = false;
  bool nothing_left_ = false;
  bool ended_ = false;
  std::int64_t pictures_ = 0;      // of the data set
  std::exception_ptr unreadable_;  // what was wrong with a message; thrown by next()
};

}  // namespace tessera
