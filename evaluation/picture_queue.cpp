#include "evaluation/picture_queue.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace tessera {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Image load(ComparisonRow& row, const DecodeOptions& options) {
  const auto start = Clock::now();
  const std::vector<std::byte> bytes = read_picture(row.sample);
  row.read_ms = ms_since(start);
  return decode(bytes, where(row.sample), options);
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
    row.load_ms = ms_since(start);
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
                           std::span<const std::int64_t> numbers, const ComparisonOptions& options)
    : models_(models),
      dataset_(dataset),
      numbers_(numbers),
      options_(options),
      batch_size_(static_cast<std::size_t>(options.batch)),
      ready_(kDepth, 0) {
  for (std::size_t slot = 0; slot < kDepth; ++slot) {
    slots_.push_back(make_batch(models, options.batch));
    slots_.back().rows.resize(batch_length(slot));
  }
  for (int worker = 0; worker < options.workers; ++worker) workers_.emplace_back([this] { work(); });
}

PictureQueue::~PictureQueue() {
  const std::scoped_lock lock(mutex_);
  stop_ = true;
  changed_.notify_all();
}

std::size_t PictureQueue::batch_length(std::size_t batch) const {
  const std::size_t first = std::min(batch * batch_size_, numbers_.size());
  return std::min(batch_size_, numbers_.size() - first);
}

void PictureQueue::work() {
  while (true) {
    const std::size_t position = next_position_++;
    if (position >= numbers_.size()) return;
    try {
      prepare(position);
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_ = true;
      changed_.notify_all();
    }
    const std::scoped_lock lock(mutex_);
    if (stop_) return;
  }
}

void PictureQueue::prepare(std::size_t position) {
  const std::size_t batch = position / batch_size_;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_ || batch < given_back_ + kDepth; });
    if (stop_) return;
  }
  const std::int64_t number = numbers_[position];
  prepare_picture(models_, dataset_.samples[static_cast<std::size_t>(number)], number, options_.decode,
                  slots_[batch % kDepth], position % batch_size_);
  const std::scoped_lock lock(mutex_);
  if (++ready_[batch % kDepth] == batch_length(batch)) changed_.notify_all();
}

PreparedBatch* PictureQueue::next() {
  std::unique_lock lock(mutex_);
  if (taken_ > given_back_) {
    const std::size_t slot = given_back_ % kDepth;
    ready_[slot] = 0;
    slots_[slot].rows.assign(batch_length(given_back_ + kDepth), {});
    ++given_back_;
    changed_.notify_all();
  }
  const std::size_t length = batch_length(taken_);
  if (length == 0) return nullptr;
  const std::size_t slot = taken_ % kDepth;
  changed_.wait(lock, [&] { return stop_ || ready_[slot] == length; });
  if (failure_) std::rethrow_exception(failure_);
  ++taken_;
  return &slots_[slot];
}

}  // namespace tessera
