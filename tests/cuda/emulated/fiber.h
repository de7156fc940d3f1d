#pragma once
// A fiber: a function on a stack of its own that gives way by itself. Switching saves seven registers, nothing else.
// x86-64 only. AddressSanitizer is told of each switch.

#include <cstddef>
#include <functional>

namespace tessera::emulated {

// One fiber runs at a time and only between resume() and the give_way() or return that follows it.
class Fiber {
 public:
  // `body` is called again at each resume() that follows its return.
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the body until it gives way or returns.
  void resume();
  // From within the body: back to who called resume().
  void give_way();

 private:
  static void enter(Fiber* fiber);
  void leave();

  std::function<void()> body_;
  std::byte* memory_ = nullptr;     // a guard page, then the stack
  void* stack_pointer_ = nullptr;   // of the fiber, while it does not run
  void* caller_pointer_ = nullptr;  // of who called resume(), while it runs
  // For AddressSanitizer.
  [[maybe_unused]] const void* caller_stack_ = nullptr;
  [[maybe_unused]] std::size_t caller_stack_bytes_ = 0;
};

}  // namespace tessera::emulated
