// Sums of four products of bytes in each 32-bit lane: what int8 is made of. Included by kernels.cpp for each
// instruction set.
//
// Each way has add(x, w, sum): sum + x0 * w0 + x1 * w1 + x2 * w2 + x3 * w3, x unsigned and w signed, for vectors of any
// width up to the widest; and kPairs and kSpeed, which are LowPrecision's.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

template <class Bytes>
using Signed = hn::RebindToSigned<Bytes>;
template <class Bytes>
using LaneSums = hn::Vec<hn::Repartition<std::int32_t, Bytes>>;

// Exact for all weights, on any machine.
struct WidenedDot {
  static constexpr bool kPairs = false;
  static constexpr int kSpeed = 1;
  template <class Bytes>
  static HWY_INLINE LaneSums<Bytes> add(Bytes /*bytes*/, hn::Vec<Bytes> x, hn::Vec<Signed<Bytes>> w,
                                        LaneSums<Bytes> sum) {
    const hn::Repartition<std::int16_t, Bytes> halves;
    const hn::Repartition<std::int32_t, Bytes> integers;
    const auto pairs = hn::BitCast(halves, x), weights = hn::BitCast(halves, w);
    const auto even = hn::And(pairs, hn::Set(halves, 0xFF));
    const auto odd = hn::And(hn::ShiftRight<8>(pairs), hn::Set(halves, 0xFF));
    auto unused = hn::Zero(integers);  // pairs lie side by side, so that one sum takes them all
    sum = hn::ReorderWidenMulAccumulate(integers, even, hn::ShiftRight<8>(hn::ShiftLeft<8>(weights)), sum, unused);
    return hn::ReorderWidenMulAccumulate(integers, odd, hn::ShiftRight<8>(weights), sum, unused);
  }
};

#if HWY_ARCH_X86

HWY_INLINE __m128i add_pairs(__m128i x, __m128i w) { return _mm_maddubs_epi16(x, w); }
#if HWY_TARGET <= HWY_AVX2
HWY_INLINE __m256i add_pairs(__m256i x, __m256i w) { return _mm256_maddubs_epi16(x, w); }
#endif
#if HWY_TARGET <= HWY_AVX3
HWY_INLINE __m512i add_pairs(__m512i x, __m512i w) { return _mm512_maddubs_epi16(x, w); }
#endif

// Half the instructions, by vpmaddubsw. Its sums of two products are 16 bits wide: exact where no two neighbouring
// weights, both positive or both negative, come to more than 128 (LowPrecision::pairs), as 255 * 128 < 2^15.
struct PairDot {
  static constexpr bool kPairs = true;
  static constexpr int kSpeed = 2;
  template <class Bytes>
  static HWY_INLINE LaneSums<Bytes> add(Bytes /*bytes*/, hn::Vec<Bytes> x, hn::Vec<Signed<Bytes>> w,
                                        LaneSums<Bytes> sum) {
    const hn::Repartition<std::int16_t, Bytes> halves;
    const hn::Repartition<std::int32_t, Bytes> integers;
    auto unused = hn::Zero(integers);
    const hn::Vec<hn::Repartition<std::int16_t, Bytes>> pairs{add_pairs(x.raw, w.raw)};
    return hn::ReorderWidenMulAccumulate(integers, pairs, hn::Set(halves, 1), sum, unused);
  }
};
using TileDot = PairDot;
#else
using TileDot = WidenedDot;
#endif

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
// One instruction. Highway 1.0.3 does not know it, and its intrinsic cannot be inlined here, where VNNI is not
// promised.
struct VnniDot {
  static constexpr bool kPairs = false;
  static constexpr int kSpeed = 4;
  template <class Bytes>
  static HWY_INLINE LaneSums<Bytes> add(Bytes /*bytes*/, hn::Vec<Bytes> x, hn::Vec<Signed<Bytes>> w,
                                        LaneSums<Bytes> sum) {
#if HWY_TARGET == HWY_AVX3
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "vm"(w.raw));  // NOLINT(hicpp-no-assembler)
#else
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum.raw) : "x"(x.raw), "xm"(w.raw));  // NOLINT(hicpp-no-assembler)
#endif
    return sum;
  }
};
#endif

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
