#include "vision/picture_queue.h"

#include "core/resources.h"

namespace tessera {

PictureQueue::PictureQueue(std::vector<Preprocess> models, std::span<const Sample> pictures,
                           const QueueOptions& options, PictureSource& source)
    : models_(std::move(models)), pictures_(pictures), options_(options), source_(source), slots_(kDepth) {
  for (Slot& slot : slots_) slot.batch = make_batch(models_, options.batch);
  try {
    for (int worker = 0; worker < options.workers; ++worker) workers_.emplace_back([this] { work(); });
  } catch (...) {
    end_work();  // those that are there would be waited for, and wait for room
    rethrow_as_resource_error(options.workers);
  }
}

PictureQueue::~PictureQueue() { end_work(); }

void PictureQueue::end_work() {
  const std::scoped_lock lock(mutex_);
  stop_ = true;
  changed_.notify_all();
}

void PictureQueue::work() {
  try {
    for (Place place = claim(); place.slot != nullptr; place = claim()) prepare(place);
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stop_ = true;
    changed_.notify_all();
  }
}

PictureQueue::Place PictureQueue::claim() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (opened_ > 0) {
      Slot& slot = slots_[(opened_ - 1) % kDepth];
      if (slot.claimed < slot.numbers.size()) return {.slot = &slot, .index = slot.claimed++};
    }
    if (ended_) return {};
    if (!fetching_ && opened_ < given_back_ + kDepth) {
      fetch(lock);
    } else {
      changed_.wait(lock);
    }
  }
  return {};
}

void PictureQueue::fetch(std::unique_lock<std::mutex>& lock) {
  fetching_ = true;
  lock.unlock();
  std::vector<std::int64_t> numbers = source_.next(static_cast<std::size_t>(options_.batch));
  lock.lock();
  fetching_ = false;
  if (numbers.empty()) {
    ended_ = true;
  } else {
    Slot& slot = slots_[opened_++ % kDepth];
    slot.batch.pictures.assign(numbers.size(), {});
    slot.numbers = std::move(numbers);
    slot.claimed = slot.ready = 0;
  }
  changed_.notify_all();
}

void PictureQueue::prepare(Place place) {
  Slot& slot = *place.slot;
  const std::int64_t number = slot.numbers[place.index];
  prepare_picture(models_, pictures_[static_cast<std::size_t>(number)], number, options_.decode, slot.batch,
                  place.index);
  const std::scoped_lock lock(mutex_);
  if (++slot.ready == slot.numbers.size()) changed_.notify_all();
}

PreparedBatch* PictureQueue::next() {
  std::unique_lock lock(mutex_);
  if (taken_ > given_back_) {
    ++given_back_;
    changed_.notify_all();
  }
  Slot& slot = slots_[taken_ % kDepth];
  const auto ready = [&] { return taken_ < opened_ && slot.ready == slot.numbers.size(); };
  changed_.wait(lock, [&] { return stop_ || ready() || (ended_ && taken_ == opened_); });
  if (failure_) std::rethrow_exception(failure_);
  if (!ready()) return nullptr;
  ++taken_;
  return &slot.batch;
}

}  // namespace tessera
