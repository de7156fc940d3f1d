#pragma once
// The matrix product behind Conv2d, Linear and PatchEmbed: C = act(A * B^T + bias + residual).
//
// A is M rows of K activations, read in place or gathered by the caller; B is the weight [N, K] of one group.
// Products are cut into tiles by M and N alone (never by the number of threads), and each tile is one Eigen product.

#include <cstdint>

#include "core/function_ref.h"
#include "core/thread_pool.h"
#include "layers/activation.h"

namespace tessera {

struct MatmulEpilogue {
  const float* bias = nullptr;      // [N]
  const float* residual = nullptr;  // like C, with C's row stride
  ActivationKind activation = ActivationKind::kNone;
};

struct Matmul {
  std::int64_t m = 0, n = 0, k = 0;
  const float* b = nullptr;  // [N, K], row stride k
  float* c = nullptr;        // [M, N]
  std::int64_t c_stride = 0;
  MatmulEpilogue epilogue;
};

// Gives rows [row, row + rows) of A: either writes them to `buffer` (rows * K floats) with `stride` K and returns it,
// or returns a pointer into memory where they lie already and sets `stride` to the distance of rows.
using MatmulRows = FunctionRef<const float*(std::int64_t row, std::int64_t rows, float* buffer, std::int64_t& stride)>;

// Rows of A in one tile: what `buffer` must hold for each thread.
std::int64_t matmul_tile_rows(std::int64_t m);

// `buffers` holds threads.threads() * matmul_tile_rows(m) * k floats, or is null when rows() never gathers.
void matmul(const Matmul& product, MatmulRows rows, float* buffers, ThreadPool& threads);

}  // namespace tessera
