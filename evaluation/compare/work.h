#pragma once
// The interface between the loop that runs models and the run: it gives the next pictures and takes the rows. In one
// process, or for a shard, it is the run's ledger (run_ledger.h); with MPI the other processes ask the ledger of rank 0
// (scale/). So one loop serves one process and many.

#include <span>

#include "evaluation/compare/result.h"
#include "vision/picture_queue.h"

namespace tessera {

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

}  // namespace tessera
