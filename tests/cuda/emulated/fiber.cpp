#include "tests/cuda/emulated/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "tests/cuda/emulated/fault.h"

#ifdef TESSERA_UNDER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a call preserves on the stack, and the stack pointer at *save; takes up what `load` points
// to. A new fiber's stack is laid out as if it had been left by this function: its first return goes to
// tessera_fiber_start.
extern "C" void tessera_switch_stack(void** save, void* load);
extern "C" void tessera_fiber_start();
asm(R"(
.text
.globl tessera_switch_stack
.hidden tessera_switch_stack
.type tessera_switch_stack, @function
tessera_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size tessera_switch_stack, .-tessera_switch_stack

.globl tessera_fiber_start
.hidden tessera_fiber_start
.type tessera_fiber_start, @function
tessera_fiber_start:
  movq %r12, %rdi
  callq *%r13
  ud2
.size tessera_fiber_start, .-tessera_fiber_start
)");

namespace tessera::emulated {

namespace {

constexpr std::size_t kPage = 4096;
#ifdef TESSERA_UNDER_ASAN
constexpr std::size_t kStackBytes = std::size_t{256} << 10;  // red zones make frames large
#else
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
#endif

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  void* memory = mmap(nullptr, kStackBytes + kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  require(memory != MAP_FAILED, "there is no memory for a fiber's stack");
  memory_ = static_cast<std::byte*>(memory);
  mprotect(memory_, kPage, PROT_NONE);
  // From the top: padding that keeps 16-byte alignment at the first call; where to return to; rbp, rbx, r12 to r15.
  auto* top = reinterpret_cast<void**>(memory_ + kPage + kStackBytes) - 2;
  *--top = reinterpret_cast<void*>(&tessera_fiber_start);
  *--top = nullptr;
  *--top = nullptr;
  *--top = this;
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  *--top = nullptr;
  *--top = nullptr;
  stack_pointer_ = top;
}

Fiber::~Fiber() { munmap(memory_, kStackBytes + kPage); }

void Fiber::enter(Fiber* fiber) {
#ifdef TESSERA_UNDER_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &fiber->caller_stack_, &fiber->caller_stack_bytes_);
#endif
  for (;;) {
    fiber->body_();
    fiber->leave();
  }
}

void Fiber::resume() {
#ifdef TESSERA_UNDER_ASAN
  void* own = nullptr;
  __sanitizer_start_switch_fiber(&own, memory_ + kPage, kStackBytes);
#endif
  tessera_switch_stack(&caller_pointer_, stack_pointer_);
#ifdef TESSERA_UNDER_ASAN
  __sanitizer_finish_switch_fiber(own, nullptr, nullptr);
#endif
}

void Fiber::give_way() { leave(); }

void Fiber::leave() {
#ifdef TESSERA_UNDER_ASAN
  void* own = nullptr;
  __sanitizer_start_switch_fiber(&own, caller_stack_, caller_stack_bytes_);
#endif
  tessera_switch_stack(&stack_pointer_, caller_pointer_);
#ifdef TESSERA_UNDER_ASAN
  __sanitizer_finish_switch_fiber(own, &caller_stack_, &caller_stack_bytes_);
#endif
}

}  // namespace tessera::emulated
