// A library to preload, with which a process finds itself on a machine that has AVX2 and FMA and no newer vectors:
// cpuid traps (arch_prctl, ARCH_SET_CPUID) and is answered without the bits of AVX-512, AMX, AVX10 and the later AVX
// extensions. Engines that cannot be told to do without them can so be timed as if they were on such a machine.
//
//   LD_PRELOAD=build/release/bench/libavx2_machine.so PROGRAM
//
// Threads and forks inherit it; a program that is executed has it by the same LD_PRELOAD. What was looked up before
// this library's constructor runs (the C library's own choice of memcpy) stays. Ends the process with status 1 where
// the processor or the system cannot trap cpuid.

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>

namespace {

struct Registers {
  std::uint32_t eax, ebx, ecx, edx;
};

constexpr std::uint32_t bits() { return 0; }
template <class... More>
constexpr std::uint32_t bits(int first, More... more) {
  return (1U << static_cast<unsigned>(first)) | bits(more...);
}

// Intel's Software Developer's Manual, volume 2, CPUID: leaf 7, "structured extended feature flags".
void leave_out_what_is_newer(std::uint32_t leaf, std::uint32_t subleaf, Registers& r) {
  constexpr std::uint32_t kFeatures = 7, kAvx10 = 0x24;
  if (leaf == kFeatures && subleaf == 0) {
    r.ebx &= ~bits(16, 17, 21, 26, 27, 28, 30, 31);  // AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL
    r.ecx &= ~bits(1, 6, 8, 9, 10, 11, 12, 14);      // VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ
    r.edx &= ~bits(2, 3, 8, 22, 23, 24, 25);         // 4VNNIW, 4FMAPS, VP2INTERSECT, AMX and AVX-512 FP16
  } else if (leaf == kFeatures && subleaf == 1) {
    r.eax &= ~bits(4, 5, 21, 23);  // AVX-VNNI, AVX-512 BF16, AMX FP16, AVX-IFMA
    r.edx &= ~bits(4, 5, 10, 19);  // AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16, AVX10
  } else if (leaf == kAvx10) {
    r = {};
  }
}

bool let_cpuid_trap(bool trap) { return ::syscall(SYS_arch_prctl, ARCH_SET_CPUID, trap ? 0 : 1) == 0; }

void answer_cpuid(int signal, siginfo_t* /*info*/, void* context) {
  auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* instruction = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  constexpr unsigned char kFirst = 0x0F, kSecond = 0xA2;
  if (instruction[0] != kFirst || instruction[1] != kSecond) {
    ::signal(signal, SIG_DFL);  // a fault of the program's own: it ends by it when this returns
    return;
  }
  const auto leaf = static_cast<std::uint32_t>(registers[REG_RAX]),
             subleaf = static_cast<std::uint32_t>(registers[REG_RCX]);
  Registers found{};
  let_cpuid_trap(false);
  __cpuid_count(leaf, subleaf, found.eax, found.ebx, found.ecx, found.edx);
  let_cpuid_trap(true);
  leave_out_what_is_newer(leaf, subleaf, found);
  registers[REG_RAX] = found.eax;
  registers[REG_RBX] = found.ebx;
  registers[REG_RCX] = found.ecx;
  registers[REG_RDX] = found.edx;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) void become_an_avx2_machine() {
  struct sigaction action {};
  action.sa_sigaction = &answer_cpuid;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(SIGSEGV, &action, nullptr) != 0 || !let_cpuid_trap(true)) {
    std::fputs("avx2_machine: cpuid cannot be made to trap on this machine\n", stderr);
    ::_exit(1);
  }
}

}  // namespace
