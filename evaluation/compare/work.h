#pragma once
// What a process does of a run: who gives it the next pictures, and who takes its rows. Alone that is the run's ledger
// (run_ledger.h); among several processes it may be another one's (scale/).

#include <span>

#include "evaluation/compare/result.h"
#include "vision/picture_queue.h"

namespace tessera {

class Work : public PictureSource {
 public:
  // Pictures a second that this process's models manage with nothing beside them. Said at most once, before next().
  virtual void begin(double alone) = 0;
  // The rows of a batch.
  virtual void take(std::span<const ComparisonRow> rows) = 0;
  // The run is to end after the batch at hand. Thread-safe.
  virtual bool stopped() const = 0;
};

}  // namespace tessera
