#pragma once
// Pictures prepared ahead of the models: read, decoded and preprocessed by threads of its own. Private to evaluation/.

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "evaluation/comparison.h"

namespace tessera {

// Pictures that run together, with the input of each model. A picture that could not be read keeps its place: what its
// input holds is not looked at.
struct PreparedBatch {
  std::vector<ComparisonRow> rows;
  std::vector<Tensor> inputs;  // by model, [batch, S, S, 3]; the last batch fills only its first rows
};

// Reads, decodes and preprocesses one picture into place `place` of the batch, all its times in the row. A picture that
// cannot be read gets an error.
void prepare_picture(const std::vector<std::unique_ptr<Classifier>>& models, const Sample& sample, std::int64_t number,
                     const DecodeOptions& options, PreparedBatch& batch, std::size_t place);

// An empty batch with inputs for `pictures` of each model.
PreparedBatch make_batch(const std::vector<std::unique_ptr<Classifier>>& models, std::int64_t pictures);

// At most kDepth batches exist at a time, so that memory does not grow when the models are slower than the workers.
// One thread takes batches; the workers are joined by the destructor.
class PictureQueue {
 public:
  PictureQueue(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
               std::span<const std::int64_t> numbers, const ComparisonOptions& options);
  ~PictureQueue();
  PictureQueue(const PictureQueue&) = delete;
  PictureQueue& operator=(const PictureQueue&) = delete;

  // The next batch in the order of `numbers`, valid until the next call; null after the last. Throws what a worker
  // threw.
  PreparedBatch* next();

 private:
  static constexpr std::size_t kDepth = 3;

  void work();
  void prepare(std::size_t position);
  std::size_t batch_length(std::size_t batch) const;

  const std::vector<std::unique_ptr<Classifier>>& models_;
  const Dataset& dataset_;
  const std::span<const std::int64_t> numbers_;
  const ComparisonOptions options_;
  const std::size_t batch_size_;
  std::vector<PreparedBatch> slots_;
  std::vector<std::size_t> ready_;             // pictures prepared, by slot
  std::atomic<std::size_t> next_position_{0};  // that no worker has taken
  std::size_t taken_ = 0;                      // batches that next() has given
  std::size_t given_back_ = 0;                 // batches whose slot may be filled anew
  bool stop_ = false;
  std::exception_ptr failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::jthread> workers_;  // last: joined before anything they use goes
};

}  // namespace tessera
