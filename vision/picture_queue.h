#pragma once
// Pictures prepared ahead of the models: read, decoded and preprocessed by threads of its own.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "vision/prepare.h"

namespace tessera {

// Who says which pictures come next.
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

struct QueueOptions {
  std::int64_t batch = 1;
  int workers = 1;  // threads that prepare pictures
  DecodeOptions decode;
};

// At most kDepth batches exist at a time, so that memory does not grow when the models are slower than the workers.
// One thread takes batches; the workers are joined by the destructor.
class PictureQueue {
 public:
  // `models` says how each wants its pictures; `pictures` are those of the data set, by number. They and the source
  // must outlive the queue. Throws ResourceError where a thread cannot be had.
  PictureQueue(std::vector<Preprocess> models, std::span<const Sample> pictures, const QueueOptions& options,
               PictureSource& source);
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

  const std::vector<Preprocess> models_;
  const std::span<const Sample> pictures_;
  const QueueOptions options_;
  PictureSource& source_;
  std::vector<Slot> slots_;
  // Counts of batches: opened, given by next(), given back by next().
  std::size_t opened_ = 0, taken_ = 0, given_back_ = 0;
  bool fetching_ = false;
  bool ended_ = false;  // the source has no more pictures
  bool stop_ = false;
  std::exception_ptr failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::jthread> workers_;  // last: joined before anything they use goes
};

}  // namespace tessera
