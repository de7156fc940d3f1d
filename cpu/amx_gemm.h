#pragma once
// C = A * B by AMX (cpu/amx.h): B packed once at load, rows of A of any type copied into tiles as they are needed.
// Private to cpu/.

#include <cstdint>

#include "core/function_ref.h"
#include "core/thread_pool.h"
#include "core/value.h"
#include "cpu/amx_matrix.h"
#include "cpu/kernels.h"
#include "cpu/low_gemm.h"

namespace tessera::cpu {

struct AmxProduct {
  const KernelTable& table;  // with its unit
  const AmxMatrix& b;
  std::int64_t rows = 0;
  ValueView y;                               // [rows, n]
  const ConstValueView* residual = nullptr;  // like y, or null
  Epilogue epilogue;
};

// Rows of any type that are copied into tiles first.
struct AmxRows {
  ValueType type;
  std::int64_t taps = 1;     // parts that a row is in, each K / taps long. To B they are one.
  LowRowPointers pointers;   // as for LowProduct
  float* scratch = nullptr;  // amx_floats()
};
std::int64_t amx_floats(const AmxMatrix& b, std::int64_t rows, int threads);
void multiply(const AmxProduct& product, const AmxRows& a, ThreadPool& threads);

// Whether products in low precision are faster than by AVX-512.
constexpr bool amx_pays_in_few_bits(std::int64_t n, std::int64_t k) { return n >= 64 && k >= 64; }
// Whether products of float32 are faster than by multiply-adds: the cost of copying a row is shared by the panels that
// use it, and the cost of making a panel's tiles by the rows of a picture.
constexpr bool amx_pays(std::int64_t rows, std::int64_t n, std::int64_t k) { return rows >= 100 && n >= 80 && k >= 80; }

// Rows from which tiles can be loaded in place: those of a line lie at a constant distance from each other, for each
// tap.
struct AmxLines {
  std::int64_t line_rows = 0;                                  // of A in a line; rows are lines one after another
  std::int64_t row_bytes = 0, part_bytes = 0, step_bytes = 0;  // as in AmxArguments
  // Writes where row `row` of line `line` begins: to[2 * tap] for each tap of B. Values behind the K values of a tap,
  // up to a whole step, are read as well and must be finite.
  FunctionRef<void(std::int64_t line, std::int64_t row, const std::byte** to)> locate;
};
void multiply(const AmxProduct& product, const AmxLines& a, ThreadPool& threads);

}  // namespace tessera::cpu
