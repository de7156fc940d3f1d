#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/resources.h"

namespace tessera {

namespace {

constexpr auto kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Spins until `ready` or for kSpin; returns whether it became ready.
template <class Ready>
bool spin_until(const Ready& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1) throw UsageError("a thread pool needs at least one thread, not " + std::to_string(threads));
  shares_ = std::vector<Share>(static_cast<std::size_t>(threads));
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { work(thread); });
  } catch (...) {
    // The workers that have started wait for work, and their destructors would wait for them.
    stop_.store(true);
    region_.fetch_add(1);
    region_.notify_all();
    rethrow_as_resource_error(threads);
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  region_.fetch_add(1);
  region_.notify_all();
}

void ThreadPool::for_each(std::int64_t count, FunctionRef<void(std::int64_t, int)> body) {
  if (count <= 0) return;
  if (workers_.empty() || count == 1) {
    const std::int64_t begin = observer_ == nullptr ? 0 : now_ns();
    for (std::int64_t index = 0; index < count; ++index) body(index, 0);
    if (observer_ != nullptr) observer_->after_part(0, begin, now_ns(), count);
    return;
  }
  body_ = &body;
  for (std::int64_t t = 0; t < threads(); ++t) {
    Share& share = shares_[static_cast<std::size_t>(t)];
    share.next.store(t * count / threads(), std::memory_order_relaxed);
    share.end = (t + 1) * count / threads();
  }
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  region_.fetch_add(1);
  region_.notify_all();
  take_part(0);
  while (!spin_until([this] { return busy_.load() == 0; })) {
    const int busy = busy_.load();
    if (busy != 0) busy_.wait(busy);
  }
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_for_region(seen);
    ++seen;
    if (stop_.load()) return;
    take_part(thread);
    if (busy_.fetch_sub(1) == 1) busy_.notify_one();
  }
}

void ThreadPool::wait_for_region(std::uint32_t seen) const {
  if (spin_until([&] { return region_.load() != seen; })) return;
  region_.wait(seen);
}

void ThreadPool::take_part(int thread) {
  if (observer_ == nullptr) {
    take_indices(thread);
    return;
  }
  const std::int64_t begin = now_ns();
  const std::int64_t tasks = take_indices(thread);
  observer_->after_part(thread, begin, now_ns(), tasks);
}

// Returns how many tasks it took.
std::int64_t ThreadPool::take_indices(int thread) {
  std::int64_t taken = 0;
  try {
    for (int i = 0; i < threads(); ++i) {  // first its own share, then what is left of the others'
      Share& share = shares_[static_cast<std::size_t>((thread + i) % threads())];
      for (;;) {
        const std::int64_t index = share.next.fetch_add(1, std::memory_order_relaxed);
        if (index >= share.end) break;
        (*body_)(index, thread);
        ++taken;
      }
    }
  } catch (...) {
    for (Share& share : shares_) share.next.store(share.end, std::memory_order_relaxed);
    const std::scoped_lock lock(failure_mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
  return taken;
}

int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) continue;
    std::ifstream siblings("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string core;
    if (!std::getline(siblings, core)) core = std::to_string(cpu);
    cores.insert(core);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

}  // namespace tessera
