#include "tests/cuda/emulated/grid.h"

#include <vector_types.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/fiber.h"
#include "tests/cuda/emulated/shared_memory.h"

// Set before each thread goes on: a kernel reads them as it does under nvcc.
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace tessera::emulated {

namespace {

constexpr unsigned kWarp = 32;

std::string text_of(const Where& where) {
  std::string file = where.file;
  file.erase(0, file.rfind('/') + 1);
  return file + ":" + std::to_string(where.line);
}

bool same_place(const Where& a, const Where& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

uint3 index_of(std::uint64_t flat, const Size3& size) {
  return {static_cast<unsigned>(flat % size.x), static_cast<unsigned>(flat / size.x % size.y),
          static_cast<unsigned>(flat / size.x / size.y)};
}

std::string text_of(const uint3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

enum class State : std::uint8_t { kReady, kAtBarrier, kInWarp, kEnded };

struct Thread {
  State state = State::kReady;
  Fiber* fiber = nullptr;
  std::uint64_t* values = nullptr;  // where a warp's exchange puts its result
  std::uint32_t took_part = 0;
};

// Lanes that wait for each other.
struct Meeting {
  Collective kind;
  std::uint32_t mask = 0, arrived = 0;
  Where where;
  std::array<std::uint64_t, kWarp> values{};
};

// Runs one block after the other, on fibers that it keeps.
class Runner {
 public:
  void run(const Launch& launch, const Schedule& schedule, const std::function<void()>& body);
  void barrier(const Where& where);
  std::uint32_t exchange(Collective kind, std::uint32_t mask, std::uint64_t value, std::uint64_t values[32],
                         const Where& where);
  unsigned lane() const { return static_cast<unsigned>(current_ % kWarp); }
  SharedMemory& shared() { return shared_; }
  bool running() const { return running_; }
  std::string where() const {
    return "block " + text_of(blockIdx) + ", thread " + text_of(threadIdx) + " of " + launch_->kernel;
  }

 private:
  void run_block();
  void start_threads();
  void continue_threads();
  void select(std::size_t thread);
  void wait(State state);
  [[noreturn]] void explain_standstill() const;
  void arrange(std::vector<std::size_t>& indices);

  const Launch* launch_ = nullptr;
  const std::function<void()>* body_ = nullptr;
  Schedule schedule_;
  std::mt19937_64 random_;
  bool running_ = false;

  std::vector<Thread> threads_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;     // in order_: the first thread that has not begun
  std::size_t current_ = 0;  // thread that runs
  std::size_t ended_ = 0, at_barrier_ = 0;
  Where barrier_{};
  std::vector<std::vector<Meeting>> meetings_;  // by warp

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* fiber_ = nullptr;  // that runs
  SharedMemory shared_;
};

// Work of the device is done under the lock of stream.cpp, one grid at a time.
Runner& runner() {
  static Runner runner;
  return runner;
}

void Runner::arrange(std::vector<std::size_t>& indices) {
  if (schedule_.order == Order::kReverse) std::ranges::reverse(indices);
  if (schedule_.order == Order::kShuffled) std::ranges::shuffle(indices, random_);
}

void Runner::run(const Launch& launch, const Schedule& schedule, const std::function<void()>& body) {
  launch_ = &launch;
  body_ = &body;
  schedule_ = schedule;
  random_.seed(schedule.seed);
  running_ = true;
  blockDim = dim3(launch.block.x, launch.block.y, launch.block.z);
  gridDim = dim3(launch.grid.x, launch.grid.y, launch.grid.z);
  std::vector<std::size_t> blocks(launch.grid.count());
  std::iota(blocks.begin(), blocks.end(), std::size_t{0});
  arrange(blocks);
  for (const std::size_t block : blocks) {
    blockIdx = index_of(block, launch.grid);
    run_block();
  }
  running_ = false;
}

void Runner::run_block() {
  const std::size_t count = launch_->block.count();
  threads_.assign(count, Thread());
  meetings_.resize((count + kWarp - 1) / kWarp);
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  arrange(order_);
  next_ = ended_ = at_barrier_ = 0;
  shared_.begin_block(launch_->shared_bytes);
  start_threads();
  continue_threads();
  shared_.end_block(launch_->kernel);
}

// A thread that never waits takes no fiber of its own: the next one begins on the same.
void Runner::start_threads() {
  while (next_ < order_.size()) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>([this] {
        while (next_ < order_.size()) {
          select(order_[next_++]);
          (*body_)();
          threads_[current_].state = State::kEnded;
          ++ended_;
        }
        idle_.push_back(fiber_);
      }));
      idle_.push_back(fibers_.back().get());
    }
    fiber_ = idle_.back();
    idle_.pop_back();
    fiber_->resume();
  }
}

void Runner::continue_threads() {
  while (ended_ < threads_.size()) {
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (threads_[i].state == State::kReady) ready.push_back(i);
    }
    if (ready.empty()) explain_standstill();
    arrange(ready);
    for (const std::size_t thread : ready) {
      select(thread);
      fiber_ = threads_[thread].fiber;
      fiber_->resume();
    }
  }
}

void Runner::select(std::size_t thread) {
  current_ = thread;
  threadIdx = index_of(thread, launch_->block);
}

void Runner::wait(State state) {
  Thread& thread = threads_[current_];
  thread.state = state;
  thread.fiber = fiber_;
  thread.fiber->give_way();
}

void Runner::barrier(const Where& where) {
  if (at_barrier_ == 0) barrier_ = where;
  if (!same_place(barrier_, where)) {
    fault("divergent barrier: " + this->where() + " is at " + text_of(where) + ", others of its block at " +
          text_of(barrier_));
  }
  if (++at_barrier_ == threads_.size()) {
    at_barrier_ = 0;
    for (Thread& thread : threads_) thread.state = State::kReady;
    // The last to arrive waits its turn as well: it has no claim to be first.
    wait(State::kReady);
    return;
  }
  wait(State::kAtBarrier);
}

std::uint32_t Runner::exchange(Collective kind, std::uint32_t mask, std::uint64_t value, std::uint64_t values[32],
                               const Where& where) {
  const std::uint32_t self = 1U << lane();
  if ((mask & self) == 0) fault(this->where() + " is not in the mask of its own shuffle at " + text_of(where));
  std::vector<Meeting>& meetings = meetings_[current_ / kWarp];
  auto meeting = std::ranges::find_if(meetings, [&](const Meeting& other) { return (other.mask & mask) != 0; });
  if (meeting == meetings.end()) {
    meetings.push_back({kind, mask, 0, where, {}});
    meeting = meetings.end() - 1;
  }
  if (meeting->mask != mask || meeting->kind != kind || !same_place(meeting->where, where)) {
    fault("lanes of a warp meet at different shuffles: " + this->where() + " is at " + text_of(where) + ", others at " +
          text_of(meeting->where));
  }
  meeting->arrived |= self;
  meeting->values[lane()] = value;
  Thread& thread = threads_[current_];
  thread.values = values;
  if (meeting->arrived != mask) {
    wait(State::kInWarp);
    return thread.took_part;
  }
  const std::size_t first = current_ / kWarp * kWarp;
  for (std::size_t i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    Thread& other = threads_[first + i];
    std::ranges::copy(meeting->values, other.values);
    other.took_part = mask;
    other.state = State::kReady;
  }
  meetings.erase(meeting);
  wait(State::kReady);
  return thread.took_part;
}

void Runner::explain_standstill() const {
  for (std::size_t warp = 0; warp < meetings_.size(); ++warp) {
    for (const Meeting& meeting : meetings_[warp]) {
      std::string lanes;
      for (unsigned i = 0; i < kWarp; ++i) {
        if (((meeting.mask & ~meeting.arrived) >> i & 1U) != 0) lanes += " " + std::to_string(i);
      }
      fault("missing lanes" + lanes + " of warp " + std::to_string(warp) + " at the shuffle at " +
            text_of(meeting.where) + " in " + launch_->kernel + ": they ended or wait elsewhere");
    }
  }
  fault("divergent barrier: " + std::to_string(at_barrier_) + " of " + std::to_string(threads_.size()) +
        " threads of a block of " + launch_->kernel + " wait at " + text_of(barrier_) + ", " + std::to_string(ended_) +
        " have ended");
}

}  // namespace

void run_grid(const Launch& launch, const Schedule& schedule, const std::function<void()>& body) {
  runner().run(launch, schedule, body);
}
void barrier(const Where& where) { runner().barrier(where); }
std::uint32_t warp_exchange(Collective kind, std::uint32_t mask, std::uint64_t value, std::uint64_t values[32],
                            const Where& where) {
  return runner().exchange(kind, mask, value, values, where);
}
unsigned lane() { return runner().lane(); }
void* dynamic_shared() { return runner().shared().dynamic(); }
void* static_shared(const void* key, std::size_t bytes) { return runner().shared().array(key, bytes); }
std::string running_thread() { return runner().running() ? runner().where() : std::string(); }

}  // namespace tessera::emulated
