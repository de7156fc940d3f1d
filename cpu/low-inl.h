// Tiles of products in low precision (cpu/dot.cpp has those for AVX-512's own instructions), and what turns a tile's
// sums into values. Included by kernels.cpp, after codec-inl.h, dot-inl.h and tile-inl.h.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

// Rows of floats times pairs of bfloat16, which become floats as they are loaded: the upper half of a word is the
// second of a pair as it stands.
template <int kRows, int kVectors>
void tile_bf16(const LowTileArguments& t) {
  const Words words;
  Vector sums[kRows][kVectors];
#pragma GCC unroll 16
  for (auto& row : sums) {
    for (Vector& sum : row) sum = hn::Zero(Floats());
  }
  const auto* b = reinterpret_cast<const std::uint32_t*>(t.b);
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const float* row[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) row[r] = reinterpret_cast<const float*>(a[r]);
    for (std::int64_t group = 0; group < t.groups; ++group, b += kVectors * kLanes) {
      Vector first[kVectors], second[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const auto pairs = hn::LoadU(words, b + v * kLanes);
        first[v] = hn::BitCast(Floats(), hn::ShiftLeft<16>(pairs));
        second[v] = hn::BitCast(Floats(), hn::And(pairs, hn::Set(words, 0xFFFF0000U)));
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Vector x = constant(row[r][2 * group]), y = constant(row[r][2 * group + 1]);
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = hn::MulAdd(y, second[v], hn::MulAdd(x, first[v], sums[r][v]));
        }
      }
    }
  }
  auto* to = static_cast<float*>(t.sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], Floats(), to + (r * kMostVectors + v) * kLanes);
  }
}

template <int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> bf16_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_bf16<kRow + 1, kVectors>...};
}
// The sums of a vector of columns as floats.
template <bool kIntegers>
HWY_INLINE Vector load_sums(const FinishArguments& t, std::int64_t at) {
  if constexpr (!kIntegers) return hn::LoadU(Floats(), static_cast<const float*>(t.sums) + at);
  return hn::ConvertTo(Floats(), hn::LoadU(Integers(), static_cast<const std::int32_t*>(t.sums) + at));
}
template <bool kIntegers>
HWY_INLINE Vector load_factor(const FinishArguments& t, std::int64_t column) {
  return kIntegers ? hn::LoadU(Floats(), t.factor + column) : constant(1);
}

// What finish() multiplies, adds and clamps with, in steps of the output where that is quantised: its scale and zero
// then cost nothing more.
struct FinishConstants {
  template <DType kResidual, DType kOut>
  static FinishConstants make(const FinishArguments& t) {
    const bool steps = kOut == DType::kU8;
    const float out = steps ? 1.0F / t.y_type.scale : 1.0F, zero = steps ? static_cast<float>(t.y_type.zero) : 0.0F;
    const float low = steps ? HWY_MAX(0.0F, t.low * out + zero) : t.low;
    const float high = steps ? HWY_MIN(255.0F, t.high * out + zero) : t.high;
    const float residual = kResidual == DType::kU8 ? t.residual_type.scale : 1.0F;
    return {constant(out), constant(zero), constant(residual * out), constant(static_cast<float>(t.residual_type.zero)),
            constant(low), constant(high)};
  }
  Vector out, zero, residual, residual_zero, low, high;
};

// Two vectors of values from 0 to 255 side by side.
HWY_INLINE void store_two(Vector first, Vector second, std::byte* to) {
  const hn::Repartition<std::int16_t, Floats> halves;
  const hn::Rebind<std::uint8_t, decltype(halves)> bytes;
  const hn::Repartition<std::uint32_t, decltype(bytes)> fours;
  // Narrowed within 128 bits: four of the first, four of the second, and so on.
  const auto mixed = hn::ReorderDemote2To(halves, nearest_below_limit(first), nearest_below_limit(second));
  HWY_ALIGN std::int32_t order[kLanes / 2];
  for (int i = 0; i < kLanes / 4; ++i) {
    order[i] = 2 * i;
    order[i + kLanes / 4] = 2 * i + 1;
  }
  const auto sorted =
      hn::TableLookupLanes(hn::BitCast(fours, hn::DemoteTo(bytes, mixed)), hn::SetTableIndices(fours, order));
  hn::StoreU(hn::BitCast(bytes, sorted), bytes, reinterpret_cast<std::uint8_t*>(to));
}

// Steps of a row of uint8, of which `length` exist in a single vector.
HWY_INLINE void store_steps(const Vector (&y)[2], std::byte* to, std::int64_t /*length*/) { store_two(y[0], y[1], to); }
HWY_INLINE void store_steps(const Vector (&y)[1], std::byte* to, std::int64_t length) {
  const hn::Rebind<std::uint8_t, Floats> narrow;
  store_narrow(hn::DemoteTo(narrow, nearest_below_limit(y[0])), narrow, to, length);
}

// kVectors vectors of columns of all rows; `length` columns exist of each.
template <DType kResidual, DType kOut, bool kIntegers, bool kAdds, int kVectors>
HWY_INLINE void finish_columns(const FinishArguments& t, const FinishConstants& by, std::int64_t column,
                               std::int64_t length) {
  Vector factor[kVectors], offset[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    factor[v] = hn::Mul(load_factor<kIntegers>(t, column + v * kLanes), by.out);
    offset[v] = hn::MulAdd(hn::LoadU(Floats(), t.offset + column + v * kLanes), by.out, by.zero);
  }
  for (std::int64_t row = 0; row < t.rows; ++row) {
    Vector y[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = column + v * kLanes;
      y[v] = hn::MulAdd(load_sums<kIntegers>(t, row * t.step + at), factor[v], offset[v]);
      if constexpr (kAdds) {
        const Vector steps = decode_steps<kResidual>(at_value(t.residual, kResidual, row * t.residual_step + at),
                                                     length, by.residual_zero);
        y[v] = hn::MulAdd(steps, by.residual, y[v]);
      }
      y[v] = hn::Min(by.high, hn::Max(by.low, y[v]));
    }
    std::byte* to = at_value(t.y, kOut, row * t.y_step + column);
    if constexpr (kOut == DType::kU8) {
      store_steps(y, to, length);
    } else {
      const Codec codec{ValueType()};
      for (int v = 0; v < kVectors; ++v) encode_vector<kOut>(y[v], at_value(to, kOut, v * kLanes), length, codec);
    }
  }
}

template <DType kResidual, DType kOut, bool kIntegers, bool kAdds>
HWY_INLINE void finish_rows(const FinishArguments& arguments) {
  const FinishArguments t = arguments;  // a copy, which no byte that is stored can change
  const auto by = FinishConstants::make<kResidual, kOut>(t);
  std::int64_t column = 0;
  for (; column + 2 * kLanes <= t.columns; column += 2 * kLanes) {
    finish_columns<kResidual, kOut, kIntegers, kAdds, 2>(t, by, column, kLanes);
  }
  for (; column < t.columns; column += kLanes) {
    const std::int64_t length = HWY_MIN(kLanes, t.columns - column);
    if (length == kLanes) {
      finish_columns<kResidual, kOut, kIntegers, kAdds, 1>(t, by, column, kLanes);
    } else {
      finish_columns<kResidual, kOut, kIntegers, kAdds, 1>(t, by, column, length);
    }
  }
}

template <DType kResidual, bool kAdds>
HWY_INLINE void finish_with(const FinishArguments& t) {
  with_type(t.y_type.dtype, [&](auto to) HWY_ATTR {
    if (t.integers) return finish_rows<kResidual, to.value, true, kAdds>(t);
    finish_rows<kResidual, to.value, false, kAdds>(t);
  });
}

static void finish_plain(const FinishArguments& t) {
  if (t.residual == nullptr) return finish_with<DType::kF32, false>(t);
  with_type(t.residual_type.dtype, [&](auto from) HWY_ATTR { finish_with<from.value, true>(t); });
}

// An activation that is more than a clamp works on floats, which lie where the sums were.
static void finish(const FinishArguments& t) {
  if (t.activation == ActivationKind::kNone) return finish_plain(t);
  auto* values = static_cast<float*>(t.sums);
  FinishArguments plain = t;
  plain.y = reinterpret_cast<std::byte*>(values);
  plain.y_type = {};
  plain.y_step = t.step;
  finish_plain(plain);
  activate(t.activation, values, t.rows, t.columns, t.step);
  for (std::int64_t row = 0; row < t.rows; ++row) {
    encode(values + row * t.step, at_value(t.y, t.y_type.dtype, row * t.y_step), t.y_type, t.columns);
  }
}

// A tile's sums become bytes: the operations of finish_columns(), from registers.
template <bool kAdds, int kRows, int kVectors>
HWY_INLINE void finish_tile(const TileFinish& finish, const hn::Vec<Integers> (&sums)[kRows][kVectors]) {
  const TileFinish t = finish;  // a copy, which no byte that is stored can change
  const Floats floats;
  Vector factor[kVectors], offset[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    factor[v] = hn::Mul(hn::LoadU(floats, t.factor + v * kLanes), constant(t.out));
    offset[v] = hn::MulAdd(hn::LoadU(floats, t.offset + v * kLanes), constant(t.out), constant(t.zero));
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    Vector y[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      y[v] = hn::MulAdd(hn::ConvertTo(floats, sums[r][v]), factor[v], offset[v]);
      if constexpr (kAdds) {
        const Vector steps =
            decode_steps<DType::kU8>(t.residual + r * t.step + v * kLanes, kLanes, constant(t.residual_zero));
        y[v] = hn::MulAdd(steps, constant(t.residual_factor), y[v]);
      }
      y[v] = clamp(y[v], t.low, t.high);
    }
    store_steps(y, t.y + r * t.step, kLanes);
  }
}

// Rows of uint8 times groups of four int8.
template <class Dot, int kRows, int kVectors>
void tile_int8(const LowTileArguments& t) {
  const Integers integers;
  const hn::Repartition<std::uint8_t, Integers> bytes;
  using Sum = hn::Vec<Integers>;
  Sum sums[kRows][kVectors];
#pragma GCC unroll 16
  for (auto& row : sums) {
    for (Sum& sum : row) sum = hn::Zero(integers);
  }
  const auto* b = reinterpret_cast<const std::int8_t*>(t.b);
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const std::byte* row[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (std::int64_t at = 0; at < 4 * t.groups; at += 4, b += 4 * kVectors * kLanes) {
      hn::Vec<Signed<decltype(bytes)>> columns[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = hn::LoadU(Signed<decltype(bytes)>(), b + 4 * v * kLanes);
      }
      fetch_page_ahead<kVectors>(reinterpret_cast<const float*>(b));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const auto x = hn::BitCast(bytes, hn::Set(integers, load_group(row[r] + at)));
        for (int v = 0; v < kVectors; ++v) sums[r][v] = Dot::add(bytes, x, columns[v], sums[r][v]);
      }
    }
  }
  if (t.finish != nullptr && t.finish->residual != nullptr) return finish_tile<true>(*t.finish, sums);
  if (t.finish != nullptr) return finish_tile<false>(*t.finish, sums);
  auto* to = static_cast<std::int32_t*>(t.sums);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], integers, to + (r * kMostVectors + v) * kLanes);
  }
}

template <class Dot, int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> int8_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_int8<Dot, kRow + 1, kVectors>...};
}
template <class Dot, int... kRow>
LowPrecision int8_by(std::string_view name, std::integer_sequence<int, kRow...> rows) {
  return {.name = name,
          .group = 4,
          .row_bytes = 1,
          .direct = true,
          .finishes = true,
          .pairs = Dot::kPairs,
          .speed = Dot::kSpeed,
          .tile = {int8_tiles<Dot, 1>(rows), int8_tiles<Dot, 2>(rows)}};
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
