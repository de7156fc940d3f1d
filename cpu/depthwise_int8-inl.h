// Depthwise convolution of uint8 by int8, one row of outputs. Included by kernels.cpp for each instruction set, after
// depthwise-inl.h.
//
// Four rows of the kernel go together: bytes of four lines are interleaved, so that a 32-bit lane holds four taps of
// one channel, which one instruction (VNNI) or four multiply and add to an int32 sum. A block is as many channels as a
// vector has bytes, in four vectors; vector i holds channels 4i to 4i + 3 of each 16 channels, since bytes are
// interleaved within 128 bits. Narrower blocks take the channels that are left.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

constexpr std::int64_t kQuad = 4;  // kernel rows of a 32-bit lane, and vectors of a block
constexpr std::int64_t kBlockBytes = kLanes * static_cast<std::int64_t>(sizeof(float));
constexpr int kInt8Outputs = kBlockBytes == 64 ? 7 : 2;  // 28 sums of 32 registers, or 8 of 16

template <std::size_t kBytes>
struct ByteBlock {
  using Bytes = hn::CappedTag<std::uint8_t, kBytes>;
  using Signed = hn::RebindToSigned<Bytes>;
  using Halves = hn::Repartition<std::int16_t, Bytes>;
  using Integers = hn::Repartition<std::int32_t, Bytes>;
  using Floats = hn::Repartition<float, Bytes>;
  using Pixels = hn::Vec<Bytes>;
  using Sum = hn::Vec<Integers>;
};

// One block of channels of the row, `count` of which exist.
template <class Dot, std::size_t kBytes, bool kWhole>
struct Int8Block : ByteBlock<kBytes> {
  using typename ByteBlock<kBytes>::Bytes;
  using typename ByteBlock<kBytes>::Halves;
  using typename ByteBlock<kBytes>::Integers;
  using BlockFloats = typename ByteBlock<kBytes>::Floats;
  using typename ByteBlock<kBytes>::Pixels;
  using typename ByteBlock<kBytes>::Sum;
  static constexpr std::int64_t kWidth = kBytes;           // bytes of a vector
  static constexpr std::int64_t kVector = kWidth / kQuad;  // sums of one

  const DepthwiseInt8Arguments& t;
  std::int64_t channel, count;
  const std::int8_t* filter;  // of the block

  HWY_INLINE Pixels load_pixels(const std::byte* from) const {
    if constexpr (kWhole) return hn::LoadU(Bytes(), reinterpret_cast<const std::uint8_t*>(from));
    HWY_ALIGN std::uint8_t values[kBytes] = {};
    std::memcpy(values, from, static_cast<std::size_t>(count));
    return hn::Load(Bytes(), values);
  }

  // Column `ix` of four lines.
  HWY_INLINE void load_column(const std::byte* const* lines, std::int64_t ix, Pixels* column) const {
    const bool inside = ix >= 0 && ix < t.in_width;
    const std::int64_t at = ix * t.channels + channel;
    const auto line = [&](int row) HWY_ATTR { return load_pixels(inside ? lines[row] + at : t.padding + channel); };
    const Bytes bytes;
    const hn::Repartition<std::uint16_t, Bytes> words;
    const Pixels a = line(0), b = line(1), c = line(2), d = line(3);
    const auto ab = hn::BitCast(words, hn::InterleaveLower(bytes, a, b));
    const auto cd = hn::BitCast(words, hn::InterleaveLower(bytes, c, d));
    const auto ab_upper = hn::BitCast(words, hn::InterleaveUpper(bytes, a, b));
    const auto cd_upper = hn::BitCast(words, hn::InterleaveUpper(bytes, c, d));
    column[0] = hn::BitCast(bytes, hn::InterleaveLower(words, ab, cd));
    column[1] = hn::BitCast(bytes, hn::InterleaveUpper(words, ab, cd));
    column[2] = hn::BitCast(bytes, hn::InterleaveLower(words, ab_upper, cd_upper));
    column[3] = hn::BitCast(bytes, hn::InterleaveUpper(words, ab_upper, cd_upper));
  }

  HWY_INLINE void add_tap(const Pixels* column, const std::int8_t* weights, Sum* sums) const {
    for (std::int64_t i = 0; i < kQuad; ++i) {
      const auto w = hn::LoadU(typename ByteBlock<kBytes>::Signed(), weights + i * kWidth);
      sums[i] = Dot::add(Bytes(), column[i], w, sums[i]);
    }
  }

  // Adds column kColumn, counted from the first one of the outputs, to the outputs that look at it.
  template <int kTaps, int kStride, int kColumn, int... kOutput>
  HWY_INLINE void add_column(const Pixels* column, const std::int8_t* weights, Sum (*sums)[kQuad],
                             std::integer_sequence<int, kOutput...> /*outputs*/) const {
    const auto add = [&](auto output) HWY_ATTR {
      constexpr int kTap = kColumn - output.value * kStride;
      if constexpr (kTap >= 0 && kTap < kTaps) {
        add_tap(column, weights + kTap * kQuad * kWidth, sums[output.value]);
      }
    };
    (add(std::integral_constant<int, kOutput>()), ...);
  }
  template <int kTaps, int kStride, int... kColumn>
  HWY_INLINE void add_lines(const std::byte* const* lines, const std::int8_t* weights, std::int64_t first,
                            Sum (*sums)[kQuad], std::integer_sequence<int, kColumn...> /*columns*/) const {
    const auto add = [&](auto column) HWY_ATTR {
      Pixels pixels[kQuad];
      load_column(lines, first + column.value, pixels);
      add_column<kTaps, kStride, column.value>(pixels, weights, sums, std::make_integer_sequence<int, kInt8Outputs>());
    };
    (add(std::integral_constant<int, kColumn>()), ...);
  }

  // Outputs [x, x + kInt8Outputs).
  template <int kTaps, int kStride>
  HWY_INLINE void outputs(std::int64_t x) const {
    Sum sums[kInt8Outputs][kQuad];
    for (auto& output : sums) {
      for (Sum& sum : output) sum = hn::Zero(Integers());
    }
    constexpr int kColumns = (kInt8Outputs - 1) * kStride + kTaps;
    for (std::int64_t group = 0; group < t.groups; ++group) {
      add_lines<kTaps, kStride>(t.lines + group * kQuad, filter + group * kTaps * kQuad * kWidth, x * kStride - t.pad,
                                sums, std::make_integer_sequence<int, kColumns>());
    }
    finish<kInt8Outputs>(sums, x);
  }

  // One output, for any kernel.
  HWY_INLINE void output(std::int64_t x) const {
    Sum sums[1][kQuad];
    for (Sum& sum : sums[0]) sum = hn::Zero(Integers());
    const std::int8_t* weights = filter;
    for (std::int64_t group = 0; group < t.groups; ++group) {
      for (std::int64_t kx = 0; kx < t.kernel_width; ++kx, weights += kQuad * kBytes) {
        Pixels pixels[kQuad];
        load_column(t.lines + group * kQuad, x * t.stride - t.pad + kx * t.dilation, pixels);
        add_tap(pixels, weights, sums[0]);
      }
    }
    finish<1>(sums, x);
  }

  template <int kOutputs>
  HWY_INLINE void finish(const Sum (*sums)[kQuad], std::int64_t x) const {
    const std::int64_t at = x * t.channels + channel, step = t.channels;
    if (t.residual == nullptr && t.y_type.dtype == DType::kU8) {
      const Steps by{t.factor + channel, t.offset + channel, hn::Set(BlockFloats(), t.high),
                     hn::Set(Halves(), static_cast<std::int16_t>(std::nearbyint(t.low)))};
      std::byte* to = t.y + at;
      for (int i = 0; i < kOutputs; ++i, to += step) store_bytes(to_bytes(sums[i], by), to);
    } else {
      for (int i = 0; i < kOutputs; ++i) finish_any(sums[i], at + i * step);
    }
  }

  // What makes sums steps of an output in uint8.
  struct Steps {
    const float *factor, *offset;
    hn::Vec<BlockFloats> high;
    hn::Vec<Halves> low;
  };
  HWY_INLINE Pixels to_bytes(const Sum* sums, const Steps& by) const {
    const BlockFloats floats;
    const Halves halves;
    Sum values[kQuad];
    for (std::int64_t i = 0; i < kQuad; ++i) {
      const auto factor = hn::LoadU(floats, by.factor + i * kVector);
      const auto offset = hn::LoadU(floats, by.offset + i * kVector);
      const auto y = hn::MulAdd(hn::ConvertTo(floats, sums[i]), factor, offset);
      values[i] = nearest_below_limit(hn::Min(by.high, y));
    }
    // Narrowed within 128 bits, which puts the channels into order again.
    const auto low = by.low;
    const auto first = hn::Max(low, hn::ReorderDemote2To(halves, values[0], values[1]));
    const auto second = hn::Max(low, hn::ReorderDemote2To(halves, values[2], values[3]));
    const auto both = hn::BitCast(Bytes(), hn::Or(first, hn::ShiftLeft<8>(second)));
    HWY_ALIGN static constexpr std::uint8_t kOrder[16] = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15};
    return hn::TableLookupBytes(both, hn::LoadDup128(Bytes(), kOrder));
  }
  HWY_INLINE void store_bytes(Pixels value, std::byte* to) const {
    if constexpr (kWhole) return hn::StoreU(value, Bytes(), reinterpret_cast<std::uint8_t*>(to));
    HWY_ALIGN std::uint8_t values[kBytes];
    hn::Store(value, Bytes(), values);
    std::memcpy(to, values, static_cast<std::size_t>(count));
  }

  // Any output and a residual, by floats in the order of the channels.
  void finish_any(const Sum* sums, std::int64_t at) const {
    const BlockFloats floats;
    HWY_ALIGN float values[kBytes];
    for (std::int64_t i = 0; i < kQuad; ++i) {
      const auto factor = hn::LoadU(floats, t.factor + channel + i * kVector);
      const auto offset = hn::LoadU(floats, t.offset + channel + i * kVector);
      HWY_ALIGN float part[kVector];
      hn::Store(hn::MulAdd(hn::ConvertTo(floats, sums[i]), factor, offset), floats, part);
      for (std::int64_t c = 0; c < kVector; ++c) values[c / kQuad * 16 + i * kQuad + c % kQuad] = part[c];
    }
    const Codec codec(t.y_type);
    for_each_vector(count, [&](std::int64_t c, std::int64_t length) HWY_ATTR {
      Vector y = load(values + c, length);
      if (t.residual != nullptr) y = hn::Add(y, load(t.residual + at + c, length));
      encode_any(clamp(y, t.low, t.high), at_value(t.y, t.y_type.dtype, at + c), t.y_type.dtype, length, codec);
    });
  }
};

// Calls outputs(block) for each block of channels. Channels go in the inner loop, so that memory is walked in the order
// in which it lies.
template <class Dot, std::size_t kBytes, class Outputs>
HWY_INLINE void for_each_int8_block(const DepthwiseInt8Arguments& t, std::int64_t channel, const Outputs& outputs) {
  constexpr auto kCount = static_cast<std::int64_t>(kBytes);
  const std::int64_t of_channel = t.groups * kQuad * t.kernel_width;
  for (; channel + kCount <= t.channel_end; channel += kCount) {
    outputs(Int8Block<Dot, kBytes, true>{{}, t, channel, kCount, t.filter + channel * of_channel});
  }
  if constexpr (kBytes > 16) {
    for_each_int8_block<Dot, kBytes / 2>(t, channel, outputs);
  } else if (channel < t.channel_end) {
    outputs(Int8Block<Dot, 16, false>{{}, t, channel, t.channel_end - channel, t.filter + channel * of_channel});
  }
}

template <class Dot, int kTaps, int kStride>
void depthwise_int8_row(const DepthwiseInt8Arguments& t) {
  // The last outputs of a row that is no multiple of kInt8Outputs wide are made with some before them again.
  for (std::int64_t x = 0; x < t.width; x += kInt8Outputs) {
    const std::int64_t at = x + kInt8Outputs <= t.width ? x : t.width - kInt8Outputs;
    for_each_int8_block<Dot, kBlockBytes>(
        t, t.channel, [at](const auto& block) HWY_ATTR { block.template outputs<kTaps, kStride>(at); });
  }
}

template <class Dot>
void depthwise_int8(const DepthwiseInt8Arguments& t) {
  const auto is = [&t](std::int64_t taps, std::int64_t stride) {
    return t.kernel_width == taps && t.stride == stride && t.dilation == 1 && t.width >= kInt8Outputs;
  };
  if (is(3, 1)) return depthwise_int8_row<Dot, 3, 1>(t);
  if (is(3, 2)) return depthwise_int8_row<Dot, 3, 2>(t);
  if (is(5, 1)) return depthwise_int8_row<Dot, 5, 1>(t);
  if (is(5, 2)) return depthwise_int8_row<Dot, 5, 2>(t);
  for (std::int64_t x = 0; x < t.width; ++x) {
    for_each_int8_block<Dot, kBlockBytes>(t, t.channel, [x](const auto& block) HWY_ATTR { block.output(x); });
  }
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
