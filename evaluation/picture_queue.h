#pragma once
// Prepares pictures ahead of the models: its own threads read, decode and preprocess them. Private to evaluation/.

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "evaluation/comparison.h"

namespace tessera {

// Pictures that run together, with the input of each model. A picture that could not be read keeps its place, and its
// input is not used.
struct PreparedBatch {
  std::vector<ComparisonRow> rows;
  std::vector<Tensor> inputs;  // by model, [batch, S, S, 3]; the last batch fills only its first rows
};

// Reads, decodes and preprocesses one picture into place `place` of the batch, and notes all times in its row. A
// picture that cannot be read gets an error.
void prepare_picture(const std::vector<std::unique_ptr<Classifier>>& models, const Sample& sample, std::int64_t number,
                     const DecodeOptions& options, PreparedBatch& batch, std::size_t place);

// An empty batch with inputs of `pictures` pictures for each model.
PreparedBatch make_batch(const std::vector<std::unique_ptr<Classifier>>& models, std::int64_t pictures);

// At most kDepth batches exist at a time, so that memory does not grow when the models are slower than the workers.
// One thread takes batches; the workers are joined by the destructor.
class PictureQueue {
 public:
  PictureQueue(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
               const ComparisonOptions& options, PictureSource& source);
  ~PictureQueue();
  PictureQueue(const PictureQueue&) = delete;
  PictureQueue& operator=(const PictureQueue&) = delete;

  // The next batch in the order in which `source` gave its pictures, valid until the next call; null after the last.
  // Throws the exception of a worker.
  PreparedBatch* next();

 private:
  static constexpr std::size_t kDepth = 3;

  struct Slot {
    PreparedBatch batch;
    std::vector<std::int64_t> numbers;
    std::size_t claimed = 0, ready = 0;  // pictures that a worker has taken, and prepared
  };
  struct Place {
    Slot* slot = nullptr;
    std::size_t index = 0;
  };

  void work();
  void end_work();
  // The next picture to prepare; null after the last. Waits for room, and for `source`.
  Place claim();
  // Opens the next batch. One worker at a time does so, and releases the lock meanwhile.
  void fetch(std::unique_lock<std::mutex>& lock);
  void prepare(Place place);

  const std::vector<std::unique_ptr<Classifier>>& models_;
  const Dataset& dataset_;
  const ComparisonOptions options_;
  PictureSource& source_;
  std::vector<Slot> slots_;
  // Counts of batches: opened, given by next(), given back by next().
  std::size_t opened_ = 0, taken_ = 0, given_back_ = 0;
  bool fetching_ = false;
  bool ended_ = false;  // all batches have been opened
  bool stop_ = false;
  std::exception_ptr failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::jthread> workers_;  // last: joined before anything they use goes
};

}  // namespace tessera
