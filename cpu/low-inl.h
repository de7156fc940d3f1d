// Tiles of products in low precision for instruction sets without an instruction for them (cpu/dot_avx512.cpp has those
// that do), and what turns a tile's sums into values. Included by kernels.cpp, after codec-inl.h and tile-inl.h.
#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

HWY_INLINE std::int32_t load_pair(const std::byte* from) {
  std::int32_t pair;
  std::memcpy(&pair, from, sizeof(pair));
  return pair;
}

// Rows of floats times pairs of bfloat16, which become floats as they are loaded: the upper half of a word is the
// second of a pair as it stands.
template <int kRows, int kVectors>
void tile_bf16(const LowTileArguments& t) {
  const Words words;
  Vector sums[kRows][kVectors];
  for (auto& row : sums) {
    for (Vector& sum : row) sum = hn::Zero(Floats());
  }
  const auto* b = reinterpret_cast<const std::uint32_t*>(t.b);
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const float* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = reinterpret_cast<const float*>(a[r]);
    for (std::int64_t group = 0; group < t.groups; ++group, b += kVectors * kLanes) {
      Vector first[kVectors], second[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const auto pairs = hn::LoadU(words, b + v * kLanes);
        first[v] = hn::BitCast(Floats(), hn::ShiftLeft<16>(pairs));
        second[v] = hn::BitCast(Floats(), hn::And(pairs, hn::Set(words, 0xFFFF0000U)));
      }
      for (int r = 0; r < kRows; ++r) {
        const Vector x = constant(row[r][2 * group]), y = constant(row[r][2 * group + 1]);
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = hn::MulAdd(y, second[v], hn::MulAdd(x, first[v], sums[r][v]));
        }
      }
    }
  }
  auto* to = static_cast<float*>(t.sums);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], Floats(), to + (r * kMostVectors + v) * kLanes);
  }
}

// Rows of int16 (that were uint8) times pairs of int8, widened as they are loaded: no sum of two such products can
// overflow.
template <int kRows, int kVectors>
void tile_int8(const LowTileArguments& t) {
  const Integers integers;
  const hn::RepartitionToNarrow<Integers> halves;
  const hn::Rebind<std::int8_t, decltype(halves)> bytes;
  using Sum = hn::Vec<Integers>;
  Sum sums[kRows][kVectors];
  for (auto& row : sums) {
    for (Sum& sum : row) sum = hn::Zero(integers);
  }
  const auto* b = reinterpret_cast<const std::int8_t*>(t.b);
  const std::byte* const* a = t.a;
  for (std::int64_t tap = 0; tap < t.taps; ++tap, a += kRows) {
    const std::byte* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = a[r];
    for (std::int64_t group = 0; group < t.groups; ++group, b += kVectors * kLanes * 2) {
      hn::Vec<decltype(halves)> columns[kVectors];
      for (int v = 0; v < kVectors; ++v) columns[v] = hn::PromoteTo(halves, hn::LoadU(bytes, b + v * kLanes * 2));
      for (int r = 0; r < kRows; ++r) {
        const auto x = hn::BitCast(halves, hn::Set(integers, load_pair(row[r] + 4 * group)));
        Sum unused = hn::Zero(integers);  // pairs lie side by side, so that one sum takes them all
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = hn::ReorderWidenMulAccumulate(integers, x, columns[v], sums[r][v], unused);
        }
      }
    }
  }
  auto* to = static_cast<std::int32_t*>(t.sums);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], integers, to + (r * kMostVectors + v) * kLanes);
  }
}

template <int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> bf16_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_bf16<kRow + 1, kVectors>...};
}
template <int kVectors, int... kRow>
std::array<LowTileFunction, kMostRows> int8_tiles(std::integer_sequence<int, kRow...>) {
  return {&tile_int8<kRow + 1, kVectors>...};
}

// The sums of a vector of columns as floats.
HWY_INLINE Vector load_sums(const FinishArguments& t, std::int64_t at) {
  if (!t.integers) return hn::LoadU(Floats(), static_cast<const float*>(t.sums) + at);
  return hn::ConvertTo(Floats(), hn::LoadU(Integers(), static_cast<const std::int32_t*>(t.sums) + at));
}
HWY_INLINE Vector load_factor(const FinishArguments& t, std::int64_t column) {
  return t.integers ? hn::LoadU(Floats(), t.factor + column) : constant(1);
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

// One vector of columns of all rows, `length` of which exist.
template <DType kResidual, DType kOut>
HWY_INLINE void finish_columns(const FinishArguments& t, const FinishConstants& by, std::int64_t column,
                               std::int64_t length) {
  const Vector factor = hn::Mul(load_factor(t, column), by.out);
  const Vector offset = hn::MulAdd(hn::LoadU(Floats(), t.offset + column), by.out, by.zero);
  for (std::int64_t row = 0; row < t.rows; ++row) {
    Vector y = hn::MulAdd(load_sums(t, row * t.step + column), factor, offset);
    if (t.residual != nullptr) {
      const Vector steps = decode_steps<kResidual>(at_value(t.residual, kResidual, row * t.residual_step + column),
                                                   length, by.residual_zero);
      y = hn::MulAdd(steps, by.residual, y);
    }
    y = hn::Min(by.high, hn::Max(by.low, y));
    std::byte* to = at_value(t.y, kOut, row * t.y_step + column);
    if constexpr (kOut == DType::kU8) {
      const hn::Rebind<std::uint8_t, Floats> narrow;
      store_narrow(hn::DemoteTo(narrow, hn::NearestInt(y)), narrow, to, length);
    } else {
      encode_vector<kOut>(y, to, length, Codec(ValueType()));
    }
  }
}

template <DType kResidual, DType kOut>
HWY_INLINE void finish_rows(const FinishArguments& t) {
  const auto by = FinishConstants::make<kResidual, kOut>(t);
  std::int64_t column = 0;
  for (; column + kLanes <= t.columns; column += kLanes) finish_columns<kResidual, kOut>(t, by, column, kLanes);
  if (column < t.columns) finish_columns<kResidual, kOut>(t, by, column, t.columns - column);
}

static void finish_plain(const FinishArguments& t) {
  with_type(t.residual_type.dtype, [&](auto from) HWY_ATTR {
    with_type(t.y_type.dtype, [&](auto to) HWY_ATTR { finish_rows<from.value, to.value>(t); });
  });
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

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
