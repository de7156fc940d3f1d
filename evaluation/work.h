#pragma once
// The interface between the loop that runs models and the run: it gives the next pictures and takes the rows. In one
// process, or for a shard, it is the run's ledger (run_ledger.h); with MPI the other processes ask the ledger of rank 0
// (scale/). So one loop serves one process and many.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/result.h"

namespace tessera {

class PictureSource {
 public:
  virtual ~PictureSource() = default;

  // The numbers of the pictures to run next, in ascending order, at most `most`; empty: nothing is left. May wait.
  // Called by one thread at a time.
  virtual std::vector<std::int64_t> next(std::size_t most) = 0;

 protected:
  PictureSource() = default;
  PictureSource(const PictureSource&) = default;
  PictureSource& operator=(const PictureSource&) = default;
};

class Work : public PictureSource {
 public:
  // Receives the pictures a second that this process's models reach with nothing beside them. Called at most once,
  // before next().
  virtual void begin(double alone) = 0;
  // Takes the rows of a batch.
  virtual void take(std::span<const ComparisonRow> rows) = 0;
  // True when the run should end after the current batch. Thread-safe.
  virtual bool stopped() const = 0;
};

// Pictures 0 to count - 1.
class AllPictures final : public PictureSource {
 public:
  explicit AllPictures(std::int64_t count) : count_(count) {}
  std::vector<std::int64_t> next(std::size_t most) override {
    std::vector<std::int64_t> numbers;
    while (next_ < count_ && numbers.size() < most) numbers.push_back(next_++);
    return numbers;
  }

 private:
  std::int64_t count_;
  std::int64_t next_ = 0;
};

}  // namespace tessera
