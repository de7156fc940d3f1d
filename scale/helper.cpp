#include "scale/helper.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "scale/protocol.h"

namespace tessera {

namespace {

constexpr std::chrono::milliseconds kLookForSignals{50};

}  // namespace

Helper::Helper(Messenger& messenger, const std::atomic<bool>& stop) : messenger_(messenger), stop_(stop) {
  messenger.listen([this](const Message& message) { on_message(message); });
}

Helper::~Helper() { messenger_.close(); }

void Helper::run(std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset, const RunPlan& plan) {
  const nlohmann::json hello{{"host", messenger_.host()},
                             {"settings", plan.header.settings},
                             {"pictures", plan.header.pictures},
                             {"environments", plan.environments}};
  {
    const std::scoped_lock lock(mutex_);
    pictures_ = plan.header.pictures;
  }
  messenger_.send(0, kHello, hello.dump());
  compare_models(models, dataset, plan.options, *this);
  messenger_.send(0, kDone, std::string(stop_ ? kWasStopped : ""));
}

void Helper::fail(ErrorKind kind, const std::string& text) {
  const nlohmann::json failure{{"host", messenger_.host()}, {"kind", static_cast<int>(kind)}, {"text", text}};
  messenger_.send(0, kFailed, failure.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Helper::wait_for_end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_; });
}

void Helper::begin(double alone) { messenger_.send(0, kAlone, bytes_of(alone)); }

void Helper::ask(std::unique_lock<std::mutex>& lock) {
  if (asked_ || nothing_left_) return;
  asked_ = true;
  lock.unlock();
  messenger_.send(0, kAsk, "");
  lock.lock();
}

std::vector<std::int64_t> Helper::next(std::size_t most) {
  std::unique_lock lock(mutex_);
  while (stock_.empty() && !nothing_left_ && !stopped() && !unreadable_) {
    ask(lock);
    changed_.wait_for(lock, kLookForSignals,
                      [&] { return !stock_.empty() || nothing_left_ || stopped_ || unreadable_; });
  }
  if (unreadable_) std::rethrow_exception(unreadable_);
  if (stopped()) return {};
  const auto end = stock_.begin() + static_cast<std::ptrdiff_t>(std::min(most, stock_.size()));
  std::vector<std::int64_t> numbers(stock_.begin(), end);
  stock_.erase(stock_.begin(), end);
  if (stock_.size() <= most) ask(lock);  // one batch ahead, so that the answer is there when it is needed
  return numbers;
}

void Helper::take(std::span<const ComparisonRow> rows) { messenger_.send(0, kRows, lines_of_rows(rows)); }

void Helper::on_message(const Message& message) {
  const std::scoped_lock lock(mutex_);
  try {
    handle(message);
  } catch (const Error&) {
    unreadable_ = std::current_exception();
  }
  changed_.notify_all();
}

void Helper::handle(const Message& message) {
  switch (message.kind) {
    case kNumbers: {
      const std::vector<std::int64_t> numbers = numbers_of(message.bytes);
      for (const std::int64_t number : numbers) {
        if (number < 0 || number >= pictures_) {
          throw InternalError(fmt::format("rank 0 gave picture {} of {}", number, pictures_));
        }
      }
      stock_.insert(stock_.end(), numbers.begin(), numbers.end());
      asked_ = false;
      nothing_left_ = numbers.empty();
      break;
    }
    case kEnd:
      ended_ = true;
      [[fallthrough]];
    case kStop:
      stopped_ = true;
      break;
    default:
      throw InternalError(fmt::format("rank 0 sent a message of kind {}", message.kind));
  }
}

}  // namespace tessera
