#pragma once
// Rank 0 of an mpirun: it has the run's ledger, hands out the pictures, logs the rows of all, and runs models itself.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "evaluation/compare/run_ledger.h"
#include "scale/messenger.h"

namespace tessera {

// How many pictures a process gets at once when `left` are left: whole batches, fewer toward the end, so that a slow
// process holds the others up by no more than what it has begun.
std::size_t chunk_size(std::size_t left, std::size_t processes, std::size_t batch);

class Leader {
 public:
  // `stop` ends the run after the batch at hand. Both must outlive the leader.
  Leader(Messenger& messenger, const std::atomic<bool>& stop);
  // Sends the others home.
  ~Leader();
  Leader(const Leader&) = delete;
  Leader& operator=(const Leader&) = delete;

  // As run_comparison, all processes together. Throws UsageError naming a process that is set up otherwise (weights,
  // data, instruction set, version), and what another process failed with.
  ComparisonResult run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset, const RunPlan& plan,
                       const RunVoice& voice);

 private:
  struct Process {
    std::string host, hello;
    bool asks = false;  // and has not been answered
    bool done = false;  // no other message will come
  };

  void on_message(const Message& message);
  void handle(const Message& message);
  void answer(int rank);
  // What answer() has decided, without the lock: send() may wait for the thread that calls on_message().
  void send_answers();
  void fail(const Error& error);
  std::string name_of(int rank) const;  // "rank 2 on node7"

  // Waits until every other process has said what it is set up to do, and compares that.
  void gather(const RunHeader& header);
  void check(int rank, const RunHeader& header) const;
  void open(RunLedger& ledger, const RunPlan& plan);
  void close();  // the ledger
  // Until no other process works; the first failure is thrown.
  void wait_for_others();
  void tell_others(int kind);

  Messenger& messenger_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> stopped_{false};  // by another process
  std::mutex mutex_;                  // of all that follows
  std::condition_variable changed_;
  std::vector<Process> processes_;
  std::vector<std::pair<int, std::string>> answers_;  // ranks with the bytes of kNumbers, to be sent
  RunLedger* ledger_ = nullptr;                       // while the run lasts
  std::size_t batch_ = 1, models_ = 0;
  double alone_ = 0;              // said before there was a ledger
  std::optional<Error> failure_;  // the first
};

}  // namespace tessera
