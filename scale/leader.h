#pragma once
// Rank 0 of mpirun: it has the run's ledger, hands out the pictures, logs all rows, and runs models itself. There is
// one log on rank 0, not one for each process: a process that dies loses the current batch either way, and one log
// needs neither a shared file system nor a merge, and any number of processes can continue it.

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

// How many pictures a process gets at once when `left` are left: whole batches, fewer toward the end, so that the
// others wait for a slow process only until it has finished what it has begun.
std::size_t chunk_size(std::size_t left, std::size_t processes, std::size_t batch);

class Leader {
 public:
  // `stop` ends the run after the current batch. Both must outlive the leader.
  Leader(Messenger& messenger, const std::atomic<bool>& stop);
  // Tells the other processes to leave.
  ~Leader();
  Leader(const Leader&) = delete;
  Leader& operator=(const Leader&) = delete;

  // As run_comparison, with all processes together. Throws UsageError naming a process with a different setup (weights,
  // data, instruction set, version), and rethrows the failure of another process.
  ComparisonResult run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset, const RunPlan& plan,
                       const RunVoice& voice);

 private:
  struct Process {
    std::string host, hello;
    bool asks = false;  // has asked and has no answer yet
    bool done = false;  // will send no further message
  };

  void on_message(const Message& message);
  void handle(const Message& message);
  void answer(int rank);
  // Sends what answer() has decided, without the lock: send() may wait for the thread that calls on_message().
  void send_answers();
  void fail(const Error& error);
  std::string name_of(int rank) const;  // "rank 2 on node7"

  // Waits until every other process has sent its setup, and compares them.
  void gather(const RunHeader& header);
  void check(int rank, const RunHeader& header) const;
  void open(RunLedger& ledger, const RunPlan& plan);
  void close();  // the ledger
  // Waits until no other process works; throws the first failure.
  void wait_for_others();
  void tell_others(int kind);

  Messenger& messenger_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> stopped_{false};  // by another process
  std::mutex mutex_;                  // guards all that follows
  std::condition_variable changed_;
  std::vector<Process> processes_;
  std::vector<std::pair<int, std::string>> answers_;  // ranks with the bytes of kNumbers, to be sent
  RunLedger* ledger_ = nullptr;                       // while the run lasts
  std::size_t batch_ = 1, models_ = 0;
  double alone_ = 0;              // received before there was a ledger
  std::optional<Error> failure_;  // the first
};

}  // namespace tessera
