#pragma once
// What nvcc gives a kernel, for g++: a kernel's source is compiled unchanged and its threads run as fibers (grid.h).
// Included by cuda/kernel.h where TESSERA_EMULATED_DEVICE is defined. Test builds only.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/grid.h"
#include "tests/cuda/emulated/stream.h"

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming): CUDA's names
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

#ifndef __launch_bounds__
#define __launch_bounds__(...)
#endif

#define TESSERA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::tessera::emulated::launch(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__)
#define TESSERA_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::tessera::emulated::dynamic_shared())
#define TESSERA_STATIC_SHARED(type, name, count) \
  static const char name##_key = 0;              \
  type* const name = static_cast<type*>(         \
      ::tessera::emulated::static_shared(&name##_key, sizeof(type) * static_cast<std::size_t>(count)))

namespace tessera::emulated {

template <class Parameter>
void note_pointer(std::vector<const void*>& pointers, const Parameter& value) {
  if constexpr (std::is_pointer_v<Parameter>) pointers.push_back(value);
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "a kernel is given as many arguments as it takes");
  std::tuple<Parameters...> values(static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  std::vector<const void*> pointers;
  std::apply([&](const auto&... value) { (note_pointer(pointers, value), ...); }, values);
  enqueue_kernel({name, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes},
                 reinterpret_cast<const void*>(kernel), stream, std::move(pointers),
                 [kernel, values] { std::apply(kernel, values); });
}

template <class T>
T shuffle(std::uint32_t mask, T value, const Where& where, auto source_of) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 2);
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t,
                                  std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint16_t>>;
  std::uint64_t values[32];
  const std::uint32_t took_part = warp_exchange(Collective::kShuffle, mask, std::bit_cast<Bits>(value), values, where);
  const int source = source_of(static_cast<int>(lane()));
  if ((took_part >> source & 1U) == 0)
    fault("a shuffle reads lane " + std::to_string(source) + ", which is not there, in " + running_thread());
  return std::bit_cast<T>(static_cast<Bits>(values[source]));
}

}  // namespace tessera::emulated

inline void __syncthreads(const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  ::tessera::emulated::barrier(where);
}
inline void __syncwarp(unsigned mask = ~0U, const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  std::uint64_t values[32];
  ::tessera::emulated::warp_exchange(::tessera::emulated::Collective::kSynchronise, mask, 0, values, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return ::tessera::emulated::shuffle(mask, value, where,
                                      [=](int lane) { return (lane & ~(width - 1)) + (source & (width - 1)); });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return ::tessera::emulated::shuffle(mask, value, where, [=](int lane) {
    const int source = lane ^ lane_mask;
    return source < (lane & ~(width - 1)) + width ? source : lane;
  });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return ::tessera::emulated::shuffle(mask, value, where, [=](int lane) {
    const int source = lane + static_cast<int>(delta);
    return source < (lane & ~(width - 1)) + width ? source : lane;
  });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return ::tessera::emulated::shuffle(mask, value, where, [=](int lane) {
    const int source = lane - static_cast<int>(delta);
    return source >= (lane & ~(width - 1)) ? source : lane;
  });
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  std::uint64_t values[32];
  const unsigned here = ::tessera::emulated::warp_exchange(::tessera::emulated::Collective::kBallot, mask,
                                                           predicate != 0 ? 1 : 0, values, where);
  unsigned result = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if ((here >> i & 1U) != 0 && values[i] != 0) result |= 1U << i;
  }
  return result;
}
inline int __any_sync(unsigned mask, int predicate,
                      const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      const tessera::emulated::Where& where = tessera::emulated::Where::here()) {
  return __ballot_sync(mask, predicate, where) == mask;
}

// One thread runs at a time, so that a plain read and write is atomic.
template <class T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = static_cast<T>(old + value);
  return old;
}
template <class T>
T atomicMax(T* address, T value) {
  const T old = *address;
  *address = std::max(old, value);
  return old;
}
template <class T>
T atomicMin(T* address, T value) {
  const T old = *address;
  *address = std::min(old, value);
  return old;
}
template <class T>
T atomicCAS(T* address, T expected, T value) {
  const T old = *address;
  if (old == expected) *address = value;
  return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __ldg(const T* address) {
  return *address;
}
using std::isinf;
using std::isnan;
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0F / x; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x < 0.0F || std::isnan(x) ? 0.0F : x > 1.0F ? 1.0F : x; }
inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
