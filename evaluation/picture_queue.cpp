#include "evaluation/picture_queue.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/resources.h"
#include "evaluation/picture_contents.h"

namespace tessera {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Reads and decodes. What makes sure of the contents counts in no time: it is not the pipeline's work.
Image load(ComparisonRow& row, const DecodeOptions& options) {
  const auto start = Clock::now();
  const std::vector<std::byte> bytes = read_picture(row.sample);
  row.read_ms = ms_since(start);
  Image image = decode(bytes, where(row.sample), options);
  row.load_ms = ms_since(start);
  row.contents = contents_of(bytes);
  return image;
}

}  // namespace

PreparedBatch make_batch(const std::vector<std::unique_ptr<Classifier>>& models, std::int64_t pictures) {
  PreparedBatch batch;
  for (const auto& model : models) batch.inputs.push_back(Tensor::zeros(model->input_shape(pictures)));
  return batch;
}

void prepare_picture(const std::vector<std::unique_ptr<Classifier>>& models, const Sample& sample, std::int64_t number,
                     const DecodeOptions& options, PreparedBatch& batch, std::size_t place) {
  ComparisonRow& row = batch.rows[place];
  row = {.number = number, .sample = sample};
  row.predictions.resize(models.size());
  const auto start = Clock::now();
  try {
    const Image image = load(row, options);
    for (std::size_t m = 0; m < models.size(); ++m) {
      const auto begin = Clock::now();
      const View place_of_picture = batch.inputs[m].view().slice(static_cast<std::int64_t>(place));
      preprocess_image(image, models[m]->card().preprocess, place_of_picture);
      row.predictions[m].preprocess_ms = ms_since(begin);
    }
  } catch (const InputError& error) {
    row.error = error.what();
    row.predictions.clear();
    if (row.load_ms == 0) row.load_ms = ms_since(start);
  }
}

PictureQueue::PictureQueue(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                           const ComparisonOptions& options, PictureSource& source)
    : models_(models), dataset_(dataset), options_(options), source_(source), slots_(kDepth) {
  for (Slot& slot : slots_) slot.batch = make_batch(models, options.batch);
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
    slot.batch.rows.assign(numbers.size(), {});
    slot.numbers = std::move(numbers);
    slot.claimed = slot.ready = 0;
  }
  changed_.notify_all();
}

void PictureQueue::prepare(Place place) {
  Slot& slot = *place.slot;
  const std::int64_t number = slot.numbers[place.index];
  prepare_picture(models_, dataset_.samples[static_cast<std::size_t>(number)], number, options_.decode, slot.batch,
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
