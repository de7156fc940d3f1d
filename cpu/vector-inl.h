// Element-wise functions, norms, softmax and pooling over rows of floats. Included by kernels.cpp for each instruction
// set, after tile-inl.h.
#include <hwy/contrib/math/math-inl.h>

#include "cpu/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

HWY_INLINE Vector constant(float value) { return hn::Set(Floats(), value); }

// Calls body(at, length) for each vector of [0, count). The last, part-filled one is masked, so that every value takes
// the same way wherever it lies.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t count, const Body& body) {
  std::int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) body(at, kLanes);
  if (at < count) body(at, count - at);
}
// NearestInt() of values that are known to be below 2^31: it takes three operations more for those that are not.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
template <std::size_t kSize>
HWY_INLINE hn::Vec128<std::int32_t, kSize> nearest_below_limit(hn::Vec128<float, kSize> value) {
  return hn::Vec128<std::int32_t, kSize>{_mm_cvtps_epi32(value.raw)};
}
#if HWY_TARGET <= HWY_AVX2
HWY_INLINE hn::Vec256<std::int32_t> nearest_below_limit(hn::Vec256<float> value) {
  return hn::Vec256<std::int32_t>{_mm256_cvtps_epi32(value.raw)};
}
#endif
#if HWY_TARGET <= HWY_AVX3
HWY_INLINE hn::Vec512<std::int32_t> nearest_below_limit(hn::Vec512<float> value) {
  return hn::Vec512<std::int32_t>{_mm512_cvtps_epi32(value.raw)};
}
#endif
#else
template <class Value>
HWY_INLINE auto nearest_below_limit(Value value) {
  return hn::NearestInt(value);
}
#endif

HWY_INLINE Vector sigmoid(Vector x) {
  const Floats d;
  return hn::Div(constant(1), hn::Add(constant(1), hn::Exp(d, hn::Neg(x))));
}

// Max and Min take the value last, so that a NaN is handed on.
HWY_INLINE Vector clamp(Vector x, float low, float high) { return hn::Min(constant(high), hn::Max(constant(low), x)); }

struct Relu {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Max(hn::Zero(Floats()), x); }
};
struct Relu6 {
  HWY_INLINE Vector operator()(Vector x) const { return clamp(x, 0, 6); }
};
struct Silu {
  HWY_INLINE Vector operator()(Vector x) const { return hn::Mul(x, sigmoid(x)); }
};
struct HardSwish {
  HWY_INLINE Vector operator()(Vector x) const {
    return hn::Div(hn::Mul(x, clamp(hn::Add(x, constant(3)), 0, 6)), constant(6));
  }
};
// GELU(x) = max(x, 0) - u * erfc(u / sqrt 2) / 2 with u = |x|, and erfc(u / sqrt 2) / 2 = p(u)^-8 with p a polynomial
// fitted to that by weighted least squares for the least absolute error of GELU: below 3e-7 of the exact value in
// float32 (the spacing of floats at 4.5, where it is worst, is 4.8e-7).
struct Gelu {
  HWY_INLINE Vector operator()(Vector x) const {
    const Vector u = hn::Min(constant(10), hn::Abs(x));  // beyond, nothing is left to subtract
    Vector p = constant(3.35459504e-06F);
    p = hn::MulAdd(p, u, constant(-2.03824547e-05F));
    p = hn::MulAdd(p, u, constant(0.000118095944F));
    p = hn::MulAdd(p, u, constant(8.74827165e-05F));
    p = hn::MulAdd(p, u, constant(0.00112562417F));
    p = hn::MulAdd(p, u, constant(0.0093158083F));
    p = hn::MulAdd(p, u, constant(0.0488703959F));
    p = hn::MulAdd(p, u, constant(0.108752005F));
    p = hn::MulAdd(p, u, constant(1.09050834F));
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    return hn::Sub(hn::Max(hn::Zero(Floats()), x), hn::Div(u, p));
  }
};
struct Sigmoid {
  HWY_INLINE Vector operator()(Vector x) const { return sigmoid(x); }
};

struct Identity {
  HWY_INLINE Vector operator()(Vector x) const { return x; }
};

// Calls body with the function that `kind` names.
template <class Body>
HWY_INLINE void with_activation(ActivationKind kind, const Body& body) {
  switch (kind) {
    case ActivationKind::kNone:
      return body(Identity());
    case ActivationKind::kRelu:
      return body(Relu());
    case ActivationKind::kRelu6:
      return body(Relu6());
    case ActivationKind::kSilu:
      return body(Silu());
    case ActivationKind::kHardSwish:
      return body(HardSwish());
    case ActivationKind::kGelu:
      return body(Gelu());
    case ActivationKind::kSigmoid:
      return body(Sigmoid());
  }
}

template <class Function>
void map_rows(const Function& function, float* values, std::int64_t rows, std::int64_t count, std::int64_t stride) {
  for (std::int64_t row = 0; row < rows; ++row, values += stride) {
    std::int64_t at = 0;
    for (; at + kLanes <= count; at += kLanes) {
      hn::StoreU(function(hn::LoadU(Floats(), values + at)), Floats(), values + at);
    }
    if (at < count) store(function(load(values + at, count - at)), values + at, count - at);
  }
}

static void activate(ActivationKind kind, float* values, std::int64_t rows, std::int64_t count, std::int64_t stride) {
  if (kind == ActivationKind::kNone) return;
  with_activation(kind, [&](auto function) HWY_ATTR { map_rows(function, values, rows, count, stride); });
}

static void layer_norm(const float* x, const float* weight, const float* bias, float epsilon, float* y,
                       std::int64_t count) {
  const Floats d;
  const float n = static_cast<float>(count);
  Vector sum = hn::Zero(d);
  std::int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) sum = hn::Add(sum, hn::LoadU(d, x + at));
  if (at < count) sum = hn::Add(sum, load(x + at, count - at));
  const Vector mean = hn::Div(hn::SumOfLanes(d, sum), constant(n));

  // The rounded mean leaves a rest, which counts where the mean is large beside the deviations.
  Vector squares = hn::Zero(d), rest_sum = hn::Zero(d);
  for (at = 0; at + kLanes <= count; at += kLanes) {
    const Vector centred = hn::Sub(hn::LoadU(d, x + at), mean);
    squares = hn::MulAdd(centred, centred, squares);
    rest_sum = hn::Add(rest_sum, centred);
  }
  if (at < count) {
    const Vector centred = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(count - at)),
                                              hn::Sub(load(x + at, count - at), mean));
    squares = hn::MulAdd(centred, centred, squares);
    rest_sum = hn::Add(rest_sum, centred);
  }
  const Vector rest = hn::Div(hn::SumOfLanes(d, rest_sum), constant(n));
  const Vector variance = hn::NegMulAdd(rest, rest, hn::Div(hn::SumOfLanes(d, squares), constant(n)));
  const Vector scale = hn::Div(constant(1), hn::Sqrt(hn::Add(variance, constant(epsilon))));
  const Vector shift = hn::Mul(rest, scale);

  for (at = 0; at + kLanes <= count; at += kLanes) {
    const Vector normal = hn::MulSub(hn::Sub(hn::LoadU(d, x + at), mean), scale, shift);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, weight + at), hn::LoadU(d, bias + at)), d, y + at);
  }
  if (at < count) {
    const std::int64_t left = count - at;
    const Vector normal = hn::MulSub(hn::Sub(load(x + at, left), mean), scale, shift);
    store(hn::MulAdd(normal, load(weight + at, left), load(bias + at, left)), y + at, left);
  }
}

// 2^x for x <= 0: 2^n * 2^f with |f| <= 1/2, and 2^f by a polynomial fitted to it for the least relative error (2e-9
// before rounding). Below the smallest normal number what is left of the bits, zero from 2^-127 on; NaN stays NaN.
HWY_INLINE Vector power_of_two(Vector x) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  x = hn::Max(constant(-127), x);
  const auto n = nearest_below_limit(x);
  const Vector f = hn::Sub(x, hn::ConvertTo(d, n));
  Vector p = constant(0.000153533620F);
  p = hn::MulAdd(p, f, constant(0.00133988746F));
  p = hn::MulAdd(p, f, constant(0.00961843736F));
  p = hn::MulAdd(p, f, constant(0.0555033247F));
  p = hn::MulAdd(p, f, constant(0.240226479F));
  p = hn::MulAdd(p, f, constant(0.693147203F));
  p = hn::MulAdd(p, f, constant(1));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(n)));
}

// Rows [row, row + kRows), whose chains of operations run beside each other.
template <int kRows>
HWY_INLINE void softmax_some(const SoftmaxRows& t, std::int64_t row) {
  const Floats d;
  const std::int64_t stride = t.stride, line = t.line;
  float* const x = t.x + row * stride;
  const auto place = [=](int r, std::int64_t at) { return x + r * stride + at / kLine * line + at % kLine; };
  const std::int64_t whole = t.count / kLanes * kLanes, left = t.count - whole;
  const auto tail = hn::FirstN(d, static_cast<std::size_t>(left));
  const Vector lowest = constant(-std::numeric_limits<float>::infinity());
  Vector top[kRows], sum[kRows];
  for (int r = 0; r < kRows; ++r) top[r] = lowest;
  for (std::int64_t at = 0; at < whole; at += kLanes) {
    for (int r = 0; r < kRows; ++r) top[r] = hn::Max(top[r], hn::LoadU(d, place(r, at)));
  }
  for (int r = 0; r < kRows; ++r) {
    if (left > 0) top[r] = hn::Max(top[r], hn::IfThenElse(tail, load(place(r, whole), left), lowest));
    top[r] = hn::MaxOfLanes(d, top[r]);
    sum[r] = hn::Zero(d);
  }
  // The scale is positive, so the largest stays the largest; differences come first, as their rounding is exact near
  // it.
  const Vector factor = constant(t.scale * 1.44269504F);  // 1 / ln 2
  for (std::int64_t at = 0; at < whole; at += kLanes) {
    for (int r = 0; r < kRows; ++r) {
      const Vector e = power_of_two(hn::Mul(hn::Sub(hn::LoadU(d, place(r, at)), top[r]), factor));
      hn::StoreU(e, d, place(r, at));
      sum[r] = hn::Add(sum[r], e);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (left > 0) {
      const Vector difference = hn::Sub(load(place(r, whole), left), top[r]);
      const Vector e = hn::IfThenElseZero(tail, power_of_two(hn::Mul(difference, factor)));
      store(e, place(r, whole), left);
      sum[r] = hn::Add(sum[r], e);
    }
    t.factors[row + r] = hn::GetLane(hn::Div(constant(1), hn::SumOfLanes(d, sum[r])));
  }
}

static void softmax_numerators(const SoftmaxRows& t) {
  constexpr int kTogether = 4;
  std::int64_t row = 0;
  for (; row + kTogether <= t.rows; row += kTogether) softmax_some<kTogether>(t, row);
  for (; row < t.rows; ++row) softmax_some<1>(t, row);
}

// A line of each of four rows, transposed: values of one place side by side.
HWY_INLINE void transpose_lines(const float* rows, std::int64_t stride, float* to, std::int64_t width) {
  const hn::Full128<float> d;
  for (std::int64_t i = 0; i < kLine; i += 4, rows += 4, to += 4 * width) {
    const auto a = hn::LoadU(d, rows), b = hn::LoadU(d, rows + stride);
    const auto c = hn::LoadU(d, rows + 2 * stride), e = hn::LoadU(d, rows + 3 * stride);
    const auto ab = hn::InterleaveLower(d, a, b), ab_upper = hn::InterleaveUpper(d, a, b);
    const auto ce = hn::InterleaveLower(d, c, e), ce_upper = hn::InterleaveUpper(d, c, e);
    hn::StoreU(hn::ConcatLowerLower(d, ce, ab), d, to);
    hn::StoreU(hn::ConcatUpperUpper(d, ce, ab), d, to + width);
    hn::StoreU(hn::ConcatLowerLower(d, ce_upper, ab_upper), d, to + 2 * width);
    hn::StoreU(hn::ConcatUpperUpper(d, ce_upper, ab_upper), d, to + 3 * width);
  }
}

static void pack_panel(const float* rows, std::int64_t columns, std::int64_t k, std::int64_t stride, std::int64_t width,
                       float* panel) {
  for (std::int64_t begin = 0; begin < k; begin += kLine) {  // a cache line of each row at a time
    const std::int64_t depth = std::min(kLine, k - begin);
    float* to = panel + begin * width;
    std::int64_t column = 0;
    for (; depth == kLine && column + 4 <= columns; column += 4) {
      transpose_lines(rows + column * stride + begin, stride, to + column, width);
    }
    for (; column < columns; ++column) {
      const float* from = rows + column * stride + begin;
      for (std::int64_t i = 0; i < depth; ++i) to[i * width + column] = from[i];
    }
    for (std::int64_t i = 0; i < depth && columns < width; ++i) {
      std::fill(to + i * width + columns, to + (i + 1) * width, 0.0F);
    }
  }
}

static void multiply_row(float* x, float factor, std::int64_t count) {
  const Vector scale = constant(factor);
  for_each_vector(count, [&](std::int64_t at, std::int64_t length)
                             HWY_ATTR { store(hn::Mul(load(x + at, length), scale), x + at, length); });
}

static float multiply_adds(std::int64_t iterations) {
  const Floats d;
  Vector chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = constant(1.0F + static_cast<float>(i));
  const Vector factor = constant(0.9999F), addend = constant(1e-4F);
  for (std::int64_t n = 0; n < iterations; ++n) {
    for (int i = 0; i < kChains; ++i) chains[i] = hn::MulAdd(chains[i], factor, addend);
  }
  Vector sum = chains[0];
  for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, chains[i]);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

static float sum(const float* values, std::int64_t count) {
  constexpr std::int64_t kStreams = 8;
  const Floats d;
  Vector sums[kStreams];
  for (Vector& part : sums) part = hn::Zero(d);
  for (std::int64_t at = 0; at + kStreams * kLanes <= count; at += kStreams * kLanes) {
    for (std::int64_t i = 0; i < kStreams; ++i) sums[i] = hn::Add(sums[i], hn::LoadU(d, values + at + i * kLanes));
  }
  for (std::int64_t i = 1; i < kStreams; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  return hn::GetLane(hn::SumOfLanes(d, sums[0]));
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
