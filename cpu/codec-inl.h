// Values of any type to and from vectors of floats. Included by kernels.cpp for each instruction set, after
// vector-inl.h.
#include <cstring>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

using Words = hn::RebindToUnsigned<Floats>;
using Integers = hn::RebindToSigned<Floats>;

// A vector of bytes or half words, its tail by masks or through memory of its own.
template <class Tag>
HWY_INLINE hn::Vec<Tag> load_narrow(Tag d, const std::byte* from, std::int64_t count) {
  using T = hn::TFromD<Tag>;
  if (count == kLanes) return hn::LoadU(d, reinterpret_cast<const T*>(from));
#if HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, reinterpret_cast<const T*>(from));
#else
  HWY_ALIGN T values[kLanes] = {};
  std::memcpy(values, from, static_cast<std::size_t>(count) * sizeof(T));
  return hn::Load(d, values);
#endif
}
template <class Tag>
HWY_INLINE void store_narrow(hn::Vec<Tag> value, Tag d, std::byte* to, std::int64_t count) {
  using T = hn::TFromD<Tag>;
  if (count == kLanes) return hn::StoreU(value, d, reinterpret_cast<T*>(to));
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(value, hn::FirstN(d, static_cast<std::size_t>(count)), d, reinterpret_cast<T*>(to));
#else
  HWY_ALIGN T values[kLanes];
  hn::Store(value, d, values);
  std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(T));
#endif
}

// What is needed of a ValueType, in vectors.
struct Codec {
  explicit HWY_INLINE Codec(const ValueType& type)
      : scale(constant(type.scale)),
        zero(constant(static_cast<float>(type.zero))),
        inverse(constant(type.scale > 0 ? 1.0F / type.scale : 0.0F)) {}
  Vector scale, zero, inverse;
};

// q - zero for uint8, else the value.
template <DType kType>
HWY_INLINE Vector decode_steps(const std::byte* from, std::int64_t count, Vector zero) {
  if constexpr (kType == DType::kF32) {
    (void)zero;
    return load(reinterpret_cast<const float*>(from), count);
  } else if constexpr (kType == DType::kBf16) {
    (void)zero;
    const hn::Rebind<std::uint16_t, Floats> narrow;
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), load_narrow(narrow, from, count))));
  } else {
    const hn::Rebind<std::uint8_t, Floats> narrow;
    return hn::Sub(hn::ConvertTo(Floats(), hn::PromoteTo(Integers(), load_narrow(narrow, from, count))), zero);
  }
}

template <DType kType>
HWY_INLINE Vector decode_vector(const std::byte* from, std::int64_t count, const Codec& codec) {
  const Vector steps = decode_steps<kType>(from, count, codec.zero);
  return kType == DType::kU8 ? hn::Mul(steps, codec.scale) : steps;
}

// Words whose upper halves are rounded to the nearest, ties to even; of a NaN they are anything.
HWY_INLINE hn::Vec<Words> rounded_to_bf16(hn::Vec<Words> bits) {
  const Words words;
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  return hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7FFF)));
}
// `rounded`, but a NaN of `value` with its sign.
HWY_INLINE hn::Vec<Words> kept_nan(Vector value, hn::Vec<Words> rounded) {
  const Words words;
  const auto nan = hn::Or(hn::BitCast(words, value), hn::Set(words, 0x400000));
  return hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(value)), nan, rounded);
}
HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, Floats>> upper_halves(hn::Vec<Words> words) {
  return hn::DemoteTo(hn::Rebind<std::uint16_t, Floats>(), hn::BitCast(Integers(), hn::ShiftRight<16>(words)));
}
HWY_INLINE hn::Vec<hn::Rebind<std::uint16_t, Floats>> to_bf16(Vector value) {
  return upper_halves(kept_nan(value, rounded_to_bf16(hn::BitCast(Words(), value))));
}

template <DType kType>
HWY_INLINE void encode_vector(Vector value, std::byte* to, std::int64_t count, const Codec& codec) {
  if constexpr (kType == DType::kF32) {
    (void)codec;
    store(value, reinterpret_cast<float*>(to), count);
  } else if constexpr (kType == DType::kBf16) {
    (void)codec;
    store_narrow(to_bf16(value), hn::Rebind<std::uint16_t, Floats>(), to, count);
  } else {
    const hn::Rebind<std::uint8_t, Floats> narrow;
    const Vector steps = hn::Add(hn::Mul(value, codec.inverse), codec.zero);
    // Within 0 to 255 before it is an integer; the constant first, so that a NaN becomes one of the ends.
    const Vector inside = hn::Min(hn::Max(steps, constant(0)), constant(255));
    store_narrow(hn::DemoteTo(narrow, hn::NearestInt(inside)), narrow, to, count);
  }
}

// Calls body with the type as a template argument.
template <class Body>
HWY_INLINE void with_type(DType type, const Body& body) {
  switch (type) {
    case DType::kF32:
      return body(std::integral_constant<DType, DType::kF32>());
    case DType::kBf16:
      return body(std::integral_constant<DType, DType::kBf16>());
    case DType::kU8:
      return body(std::integral_constant<DType, DType::kU8>());
    case DType::kF16:
      HWY_ABORT("float16 is kept on devices alone");
    case DType::kI32:
    case DType::kI64:
      HWY_ABORT("indices are no values to compute with");
  }
}

// Where value `index` lies.
HWY_INLINE const std::byte* at_value(const std::byte* from, DType type, std::int64_t index) {
  return from + index * bytes_of(type);
}
HWY_INLINE std::byte* at_value(std::byte* from, DType type, std::int64_t index) {
  return from + index * bytes_of(type);
}

// One vector whose type is looked up as it is stored or loaded: for what happens once in many operations.
HWY_INLINE void encode_any(Vector value, std::byte* to, DType type, std::int64_t count, const Codec& codec) {
  with_type(type, [&](auto known) HWY_ATTR { encode_vector<known.value>(value, to, count, codec); });
}
HWY_INLINE Vector decode_any(const std::byte* from, DType type, std::int64_t count, const Codec& codec) {
  Vector value = hn::Zero(Floats());
  with_type(type, [&](auto known) HWY_ATTR { value = decode_vector<known.value>(from, count, codec); });
  return value;
}

static void decode(const std::byte* from, const ValueType& type, float* to, std::int64_t count) {
  const Codec codec(type);
  with_type(type.dtype, [&](auto known) HWY_ATTR {
    for_each_vector(count, [&](std::int64_t at, std::int64_t length) HWY_ATTR {
      store(decode_vector<known.value>(at_value(from, known.value, at), length, codec), to + at, length);
    });
  });
}

static void encode(const float* from, std::byte* to, const ValueType& type, std::int64_t count) {
  const Codec codec(type);
  with_type(type.dtype, [&](auto known) HWY_ATTR {
    for_each_vector(count, [&](std::int64_t at, std::int64_t length) HWY_ATTR {
      encode_vector<known.value>(load(from + at, length), at_value(to, known.value, at), length, codec);
    });
  });
}

// The next part of a vector, in the upper halves of words (the lower ones are of no meaning), and what is then left. A
// NaN is one in the second part, whatever its first part becomes.
HWY_INLINE hn::Vec<Words> take_part(Vector& value) {
  const Words words;
  const auto part = rounded_to_bf16(hn::BitCast(words, value));
  value = hn::Sub(value, hn::BitCast(Floats(), hn::And(part, hn::Set(words, 0xFFFF0000U))));
  return part;
}
HWY_INLINE hn::Vec<Words> take_part_or_nan(Vector& value) {
  const Vector before = value;
  return kept_nan(before, take_part(value));
}

static void split(const AmxSplit& t) {
  const hn::Rebind<std::uint16_t, Floats> halves;
  constexpr std::int64_t kValues = kAmxStep / 2;
  HWY_ALIGN float tail[kValues] = {};
  std::byte* to = t.to;
  for (std::int64_t at = 0; at < t.count; at += kValues, to += t.step) {
    const float* values = t.from + at;
    if (t.count - at < kValues) {
      std::memcpy(tail, values, static_cast<std::size_t>(t.count - at) * sizeof(float));
      values = tail;
    }
    for (std::int64_t i = 0; i < kValues; i += kLanes) {
      Vector value = hn::LoadU(Floats(), values + i);
      for (std::int64_t part = 0; part < kAmxF32Parts; ++part) {
        const auto words = part == 1 ? take_part_or_nan(value) : take_part(value);
        hn::StoreU(upper_halves(words), halves, reinterpret_cast<std::uint16_t*>(to + part * t.part + i * 2));
      }
    }
  }
}

// The largest of bytes is that of what they stand for, so that only it is decoded.
static void max_byte_rows(const std::byte* const* rows, const ValueType& type, std::int64_t row_count, std::byte* y,
                          const ValueType& y_type, std::int64_t count) {
  const hn::ScalableTag<std::uint8_t> d;
  constexpr auto kBytes = static_cast<std::int64_t>(hn::MaxLanes(d));
  const Codec codec(type), y_codec(y_type);
  HWY_ALIGN std::byte bytes[kBytes] = {};
  for (std::int64_t at = 0; at < count; at += kBytes) {
    const std::int64_t some = HWY_MIN(kBytes, count - at);
    if (some == kBytes) {
      const auto row = [&](std::int64_t r)
                           HWY_ATTR { return hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(rows[r] + at)); };
      auto largest = row(0);
      for (std::int64_t r = 1; r < row_count; ++r) largest = hn::Max(largest, row(r));
      hn::Store(largest, d, reinterpret_cast<std::uint8_t*>(bytes));
    } else {
      std::memcpy(bytes, rows[0] + at, static_cast<std::size_t>(some));
      for (std::int64_t r = 1; r < row_count; ++r) {
        for (std::int64_t i = 0; i < some; ++i) bytes[i] = HWY_MAX(bytes[i], rows[r][at + i]);
      }
    }
    for (std::int64_t i = 0; i < some; i += kLanes) {
      const std::int64_t length = HWY_MIN(kLanes, some - i);
      const Vector values = decode_vector<DType::kU8>(bytes + i, length, codec);
      encode_any(values, at_value(y, y_type.dtype, at + i), y_type.dtype, length, y_codec);
    }
  }
}

static void max_rows(const std::byte* const* rows, const ValueType& type, std::int64_t row_count, std::byte* y,
                     const ValueType& y_type, std::int64_t count) {
  if (type.dtype == DType::kU8) return max_byte_rows(rows, type, row_count, y, y_type, count);
  const Codec codec(type), y_codec(y_type);
  with_type(type.dtype, [&](auto known) HWY_ATTR {
    for_each_vector(count, [&](std::int64_t at, std::int64_t length) HWY_ATTR {
      Vector largest = decode_vector<known.value>(at_value(rows[0], known.value, at), length, codec);
      for (std::int64_t row = 1; row < row_count; ++row) {
        largest = hn::Max(largest, decode_vector<known.value>(at_value(rows[row], known.value, at), length, codec));
      }
      encode_any(largest, at_value(y, y_type.dtype, at), y_type.dtype, length, y_codec);
    });
  });
}

static void sum_rows(const std::byte* rows, const ValueType& type, std::int64_t row_count, std::int64_t stride,
                     float scale, float* y, std::int64_t count) {
  const Codec codec(type);
  with_type(type.dtype, [&](auto known) HWY_ATTR {
    for_each_vector(count, [&](std::int64_t at, std::int64_t length) HWY_ATTR {
      Vector sum = decode_vector<known.value>(at_value(rows, known.value, at), length, codec);
      for (std::int64_t row = 1; row < row_count; ++row) {
        sum = hn::Add(sum, decode_vector<known.value>(at_value(rows, known.value, row * stride + at), length, codec));
      }
      store(hn::Mul(sum, constant(scale)), y + at, length);
    });
  });
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
