#pragma once
// What a process does of a run: who gives it the next pictures, and who takes its rows. Alone that is the run's ledger
// (run_ledger.h); among several processes it may be another one's (scale/).

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
  // Pictures a second that this process's models manage with nothing beside them. Said at most once, before next().
  virtual void begin(double alone) = 0;
  // The rows of a batch.
  virtual void take(std::span<const ComparisonRow> rows) = 0;
  // The run is to end after the batch at hand. Thread-safe.
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
