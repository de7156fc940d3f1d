#pragma once
// Products of tiles by Intel's AMX: eight registers of 16 rows of 64 bytes, and instructions that multiply two of them
// and add to a third. Intel 64 and IA-32 Architectures Optimization Reference Manual, chapter 20. Private to cpu/.
//
// float32 is multiplied as well, in three parts (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial
// Intelligence Datatype For Higher-Precision Computations", arXiv:1904.06376): the first is the value rounded to
// bfloat16, the second the rounded rest, the third the rest of that. Together they hold all 24 bits. The six products
// of parts whose indices add up to two or less give the product of two float32 with an error of 2^-26 of it. Sums are
// float32. Values above 3.38e38 have no first part and become infinite or NaN; infinite ones become NaN; parts below
// 2^-126 are left out.
//
// A tile instruction does sixteen times the multiply-adds of AVX-512, so six products are up to 2.6 times as fast as
// float32 by multiply-adds, and logits err by no more. Two parts and three products would be five times as fast, but
// logits then err by 4e-5, and those of ResNet-101 by more than their limit: that would not be float32. `--exact`
// leaves AMX out all the same. The whole of it also runs on tiles of plain loops (emulated_amx_unit), so that every
// machine tests it.

#include <array>
#include <cstddef>
#include <cstdint>

namespace tessera::cpu {

// The operands: float32 in parts, bfloat16, or uint8 by int8.
enum class AmxKind : std::uint8_t { kF32, kBf16, kInt8 };
constexpr std::size_t kAmxKinds = 3;
constexpr std::int64_t kAmxF32Parts = 3;
constexpr std::int64_t amx_parts(AmxKind kind) { return kind == AmxKind::kF32 ? kAmxF32Parts : 1; }

constexpr std::int64_t kAmxRows = 16;     // most rows of a tile
constexpr std::int64_t kAmxColumns = 16;  // of a tile of sums
constexpr std::int64_t kAmxStep = 64;     // bytes of a row of a tile of A: so many values of K are a step
constexpr std::int64_t kAmxTile = kAmxRows * kAmxStep;
constexpr std::int64_t kAmxPanel = 2 * kAmxColumns;

// `count` floats in their parts: 32 in a step, the steps `step` bytes apart, the parts of each `part`. The last step is
// filled with zeros.
struct AmxSplit {
  const float* from = nullptr;
  std::int64_t count = 0;
  std::byte* to = nullptr;
  std::int64_t step = 0, part = 0;
};
using SplitFunction = void (*)(const AmxSplit&);

// Memory to fetch into the L2 cache while tiles are multiplied: so many cache lines with each step.
struct AmxAhead {
  const std::byte* at = nullptr;
  std::int64_t lines = 0;
};

// Up to 2 x 2 tiles of C. Depth goes in taps (one, or the places of a convolution's kernel) and steps; `parts` are
// amx_parts().
struct AmxArguments {
  const std::byte* const* a = nullptr;  // [taps][2]: the first row of either tile of A
  std::int64_t row_bytes = 0;           // between the rows of a tile,
  std::int64_t part_bytes = 0;          // the parts of a step,
  std::int64_t step_bytes = 0;          // and the steps of a tap
  std::int64_t taps = 1;
  std::int64_t steps = 0;        // of a tap
  const std::byte* b = nullptr;  // [taps][steps][parts][vectors][16][64 bytes]: a row has groups of 2 or 4 values of K
  void* sums = nullptr;          // [halves * height][kAmxPanel], float or std::int32_t
  bool goes_on = false;          // from what is in `sums`
  std::array<AmxAhead, 2> ahead{};
  // For float32, where B is not in tiles yet: it is made from these floats, [taps][steps][vectors][16][32], between the
  // products and a step ahead of them, into `made`, which is `b`.
  const float* floats = nullptr;
  std::byte* made = nullptr;
  SplitFunction split = nullptr;
};
using AmxFunction = void (*)(const AmxArguments&);

struct AmxUnit {
  // To be called before products, and when the height changes, on the thread that computes them: sets how many rows a
  // tile of A has, 1 to kAmxRows. AmxSession ends it.
  void (*begin)(std::int64_t height) = nullptr;
  void (*end)() = nullptr;
  // 16 rows of 16 words, `row_bytes` apart, become the columns of a tile.
  void (*transpose)(const std::byte* rows, std::int64_t row_bytes, std::byte* tile) = nullptr;
  // Copies bytes as steps that lie `step` bytes apart; the last is filled with zeros.
  void (*copy)(const std::byte* from, std::int64_t bytes, std::byte* to, std::int64_t step) = nullptr;
  // KernelTable::split(), where there are instructions for it.
  SplitFunction split = nullptr;
  // multiply[kind][halves - 1][vectors - 1]
  std::array<std::array<std::array<AmxFunction, 2>, 2>, kAmxKinds> multiply{};
};

// Null where the machine or its system does not let this process use AMX.
const AmxUnit* amx_unit();
// The same by plain loops, for tests on any machine.
const AmxUnit& emulated_amx_unit();

// Releases a thread's tiles at its end: while they are in use, switching to another thread takes longer. Must not be
// nested.
class AmxSession {
 public:
  explicit AmxSession(const AmxUnit& unit) : unit_(unit) {}
  ~AmxSession() { unit_.end(); }
  AmxSession(const AmxSession&) = delete;
  AmxSession& operator=(const AmxSession&) = delete;

 private:
  const AmxUnit& unit_;
};

}  // namespace tessera::cpu
