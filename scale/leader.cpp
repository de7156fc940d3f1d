#include "scale/leader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json.h"
#include "scale/protocol.h"

namespace tessera {

namespace {

constexpr std::chrono::milliseconds kLookForSignals{50};

// A missing setting is named here, where it is known which process lacks it.
void expect_whole(const nlohmann::json& hello) {
  const bool whole = hello.at("settings").is_object() && hello.at("pictures").is_number_integer() &&
                     hello.at("environments").is_array();
  if (!whole) throw InternalError("what it is set up to do is not said as it should be");
}

}  // namespace

std::size_t chunk_size(std::size_t left, std::size_t processes, std::size_t batch) {
  constexpr std::size_t kMostBatches = 8;  // a few seconds of work: more would save few messages
  const std::size_t fair = left / (2 * processes);
  return batch * std::clamp<std::size_t>(fair / batch, 1, kMostBatches);
}

Leader::Leader(Messenger& messenger, const std::atomic<bool>& stop)
    : messenger_(messenger), stop_(stop), processes_(static_cast<std::size_t>(messenger.size())) {
  processes_[0] = {.host = messenger.host(), .done = true};
  messenger.listen([this](const Message& message) { on_message(message); });
}

Leader::~Leader() {
  tell_others(kEnd);
  {
    // Messages on their way must arrive before the process can leave.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::all_of(processes_, &Process::done); });
  }
  messenger_.close();
}

std::string Leader::name_of(int rank) const {
  const std::string& host = processes_[static_cast<std::size_t>(rank)].host;
  return fmt::format("rank {} on {}", rank, host.empty() ? "an unknown host" : host);
}

void Leader::fail(const Error& error) {
  if (!failure_) failure_ = error;
  stopped_ = true;
}

void Leader::on_message(const Message& message) {
  {
    const std::scoped_lock lock(mutex_);
    try {
      handle(message);
    } catch (const Error& error) {
      fail(error);
    } catch (const std::exception& error) {
      fail(InternalError(fmt::format("a message of {}: {}", name_of(message.from), error.what())));
    }
    changed_.notify_all();
  }
  send_answers();
}

void Leader::handle(const Message& message) {
  Process& process = processes_[static_cast<std::size_t>(message.from)];
  switch (message.kind) {
    case kHello: {
      const nlohmann::json hello = parse_json(message.bytes);
      process.host = hello.at("host").get<std::string>();
      expect_whole(hello);
      process.hello = message.bytes;
      break;
    }
    case kAlone:
      alone_ += speed_of(message.bytes);
      if (ledger_ != nullptr) ledger_->begin(std::exchange(alone_, 0));
      break;
    case kAsk:
      process.asks = true;
      answer(message.from);
      break;
    case kRows:
      if (ledger_ != nullptr) ledger_->take(rows_of_lines(message.bytes, models_));
      break;
    case kDone:
      process.done = true;
      stopped_ = stopped_ || message.bytes == kWasStopped;
      break;
    case kFailed: {
      const nlohmann::json failure = parse_json(message.bytes);
      process.host = failure.at("host").get<std::string>();
      process.done = true;
      throw Error(error_kind_of(failure.at("kind").get<int>()),
                  name_of(message.from) + ": " + failure.at("text").get<std::string>());
    }
    default:
      throw InternalError(fmt::format("{} sent a message of kind {}", name_of(message.from), message.kind));
  }
}

void Leader::answer(int rank) {
  Process& process = processes_[static_cast<std::size_t>(rank)];
  if (ledger_ == nullptr || !process.asks) return;
  process.asks = false;
  std::vector<std::int64_t> numbers;
  if (!stopped_) numbers = ledger_->next(chunk_size(ledger_->left(), processes_.size(), batch_));
  answers_.emplace_back(rank, bytes_of(numbers));
}

void Leader::send_answers() {
  std::vector<std::pair<int, std::string>> answers;
  {
    const std::scoped_lock lock(mutex_);
    answers.swap(answers_);
  }
  for (auto& [rank, numbers] : answers) messenger_.send(rank, kNumbers, std::move(numbers));
}

void Leader::gather(const RunHeader& header) {
  std::unique_lock lock(mutex_);
  const auto known = [](const Process& process) { return process.done || !process.hello.empty(); };
  while (!std::ranges::all_of(processes_, known) && !failure_ && !stop_) changed_.wait_for(lock, kLookForSignals);
  if (failure_) throw Error(*failure_);
  for (int rank = 1; rank < messenger_.size() && !stop_; ++rank) check(rank, header);
}

void Leader::check(int rank, const RunHeader& header) const {
  const nlohmann::json hello = parse_json(processes_[static_cast<std::size_t>(rank)].hello);
  RunHeader other;
  other.settings = hello.at("settings");
  other.pictures = hello.at("pictures").get<std::int64_t>();
  if (other.settings == header.settings && other.pictures == header.pictures) return;
  throw UsageError(fmt::format("{} is set up otherwise than {} ({}); all processes of a run need the same",
                               name_of(rank), name_of(0), differing_settings(other, header)));
}

void Leader::open(RunLedger& ledger, const RunPlan& plan) {
  {
    const std::scoped_lock lock(mutex_);
    ledger_ = &ledger;
    batch_ = static_cast<std::size_t>(plan.options.batch);
    models_ = plan.header.models.size();
    if (alone_ > 0) ledger.begin(std::exchange(alone_, 0));
    for (int rank = 1; rank < messenger_.size(); ++rank) answer(rank);
  }
  send_answers();
}

void Leader::close() {
  const std::scoped_lock lock(mutex_);
  ledger_ = nullptr;
}

void Leader::tell_others(int kind) {
  for (int rank = 1; rank < messenger_.size(); ++rank) messenger_.send(rank, kind, "");
}

void Leader::wait_for_others() {
  std::unique_lock lock(mutex_);
  bool told = false;
  while (!std::ranges::all_of(processes_, &Process::done)) {
    if (!told && (stop_ || stopped_)) {
      told = true;
      lock.unlock();
      tell_others(kStop);
      lock.lock();
    }
    changed_.wait_for(lock, kLookForSignals);
  }
  if (failure_) throw Error(*failure_);
}

ComparisonResult Leader::run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
                             const RunPlan& plan, const RunVoice& voice) {
  gather(plan.header);
  RunPlan all = plan;
  for (const Process& process : processes_) {
    if (process.hello.empty()) continue;
    const nlohmann::json hello = parse_json(process.hello);
    for (const nlohmann::json& environment : hello.at("environments")) all.environments.push_back(environment);
  }
  RunLedger ledger(
      dataset, all, [this] { return stop_ || stopped_; }, voice);
  open(ledger, plan);
  try {
    if (ledger.left() > 0) compare_models(models, dataset, plan.options, ledger);
    wait_for_others();
  } catch (...) {
    close();
    throw;
  }
  close();
  return ledger.finish();
}

}  // namespace tessera
