#pragma once
// The innermost loops, one set for each instruction set, and the sets that this machine can run. Private to cpu/.
//
// They are written once with Google Highway and compiled for 128-bit (SSE4), 256-bit (AVX2) and 512-bit (AVX-512)
// vectors. Everything around them (blocking, threads, which layer is what) is compiled once and calls them through
// KernelTable. No function here allocates, and a result depends neither on where in memory its operands lie nor on how
// rows are cut into tiles: each output is one chain of operations in a fixed order.
//
// The rest of the binary is compiled for one baseline (x86-64-v3). A template that is instantiated under other flags
// can end up in code that runs on lesser machines, so only these loops are compiled for several sets, in one object
// that holds nothing else.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/value.h"
#include "cpu/amx.h"
#include "layers/activation.h"

namespace tessera::cpu {

// A tile of rows of A in lines lies as [K / kLine][rows][kLine]: in the order in which it is read, and all of it at
// constant distances from one pointer. What lies beyond K in the last line is not used.
constexpr std::int64_t kLine = 16;

// Memory that a tile fetches into the L2 cache while it multiplies: `step` bytes for each value of K.
struct Ahead {
  const std::byte* at = nullptr;
  std::int64_t step = 0;  // 0: nothing is fetched
};

// A tile of C = A * B + bias + residual, clamped to [low, high]: `rows` x `vectors` vectors.
//
// A is given either by pointers to its rows, one for each tap: row r of tap t is at a[t * rows + r] and `k` floats
// long. A matrix has one tap; a convolution has one for each place of the kernel, and points into the picture. Or, for
// line_tile, in lines.
// B is a packed panel [taps * k][columns of a panel]; C and residual are row-major with `stride`.
struct TileArguments {
  const float* const* a = nullptr;
  std::int64_t taps = 1;
  const float* lines = nullptr;
  std::int64_t k = 0;
  const float* b = nullptr;
  const float* bias = nullptr;      // one panel; null: go on from what is in C
  const float* residual = nullptr;  // or null
  float* c = nullptr;
  std::int64_t stride = 0;
  std::int64_t line = kLine;  // floats between lines of C: rows * kLine, with a stride of kLine, where C is in lines
  std::int64_t columns = 0;   // of C that exist; less than the panel's in the last one
  float low = 0, high = 0;
  Ahead ahead{};
};
using TileFunction = void (*)(const TileArguments&);

// A tile of sums of products in low precision: bfloat16 into float32, or uint8 times int8 into int32.
//
// A is given as for TileArguments, by pointers to rows of values in the type that the tile reads (LowPrecision). The
// values of K go in groups of LowPrecision::group: B is [taps * groups][columns of a panel][group].
//
// finish() turns the sums into values. Where all columns of a tile exist and its output has the type that it reads, the
// tile does so itself while it has the sums in registers (LowPrecision::finishes). For bytes, in steps of the output:
//   y = clamp(sum * (factor * out) + (offset * out + zero) + (residual - residual_zero) * residual_factor),
// and of bfloat16 y = clamp(sum + offset + residual).
struct TileFinish {
  const float* factor = nullptr;        // by column
  const float* offset = nullptr;        // by column
  float out = 1, zero = 0;              // one over the output's scale; its zero
  float low = 0, high = 0;              // in steps of the output
  const std::byte* residual = nullptr;  // or null
  float residual_factor = 1, residual_zero = 0;
  std::byte* y = nullptr;
  std::int64_t step = 0;  // values between rows of y, and of the residual
};
struct LowTileArguments {
  const std::byte* const* a = nullptr;
  std::int64_t taps = 1;
  std::int64_t groups = 0;  // of a tap
  const std::byte* b = nullptr;
  void* sums = nullptr;                // [rows][columns of a full panel], float or std::int32_t
  const TileFinish* finish = nullptr;  // or null; otherwise nothing goes to `sums`
};
using LowTileFunction = void (*)(const LowTileArguments&);
// Four bytes of a row: a group of int8, or of two bfloat16.
inline std::int32_t load_group(const std::byte* from) {
  std::int32_t group;
  std::memcpy(&group, from, sizeof(group));
  return group;
}

// Turns a tile of sums into values:  y = act(clamp(sums * factor + offset + residual)), in the type of the output.
struct FinishArguments {
  void* sums = nullptr;  // [rows][step]; overwritten
  bool integers = false;
  std::int64_t rows = 0, columns = 0, step = 0;
  const float* factor = nullptr;        // by column; of integers only
  const float* offset = nullptr;        // by column
  const std::byte* residual = nullptr;  // or null
  ValueType residual_type;
  std::int64_t residual_step = 0;  // values between rows
  std::byte* y = nullptr;
  ValueType y_type;
  std::int64_t y_step = 0;
  float low = 0, high = 0;
  ActivationKind activation = ActivationKind::kNone;  // beyond the clamp
};

// Outputs [0, width), channels [channel, channel_end) of one row of a depthwise convolution:
//   y[x][c] = clamp(bias[c] + residual[x][c] + sum over ky, kx of line[ky][x * stride - pad + kx * dilation][c] *
//   filter)
// where what lies outside of the line adds nothing.
struct DepthwiseArguments {
  const std::byte* const* lines = nullptr;  // by kernel row: a row of the picture, [in_width, C]; null: all padding
  ValueType x_type;
  const float* filter = nullptr;    // [KH, KW, C]
  const float* bias = nullptr;      // [C]
  const float* residual = nullptr;  // [width, C], or null
  std::byte* y = nullptr;           // [width, C]
  ValueType y_type;
  std::int64_t kernel_height = 0, kernel_width = 0;
  std::int64_t stride = 1, dilation = 1, pad = 0;  // along the row
  std::int64_t in_width = 0, width = 0;
  std::int64_t channels = 0, channel = 0, channel_end = 0;
  float low = 0, high = 0;
};

// The same of uint8 times int8, with groups of four kernel rows: y = clamp(sum * factor + offset + residual). Filter,
// factor and offset lie as depthwise_int8.cpp puts them. All four count in steps of the output where that is uint8 and
// there is no residual.
struct DepthwiseInt8Arguments {
  const std::byte* const* lines = nullptr;  // [groups][4], padding as well: [in_width, C]
  const std::byte* padding = nullptr;       // a pixel of it
  const std::int8_t* filter = nullptr;
  const float* factor = nullptr;
  const float* offset = nullptr;
  const float* residual = nullptr;  // [width, C], or null
  std::byte* y = nullptr;           // [width, C]
  ValueType y_type;
  std::int64_t groups = 0, kernel_width = 0;
  std::int64_t stride = 1, dilation = 1, pad = 0;  // along the row
  std::int64_t in_width = 0, width = 0;
  std::int64_t channels = 0, channel = 0, channel_end = 0;  // from a widest block (4 * lanes) on
  float low = 0, high = 0;
};

// Winograd's F(4x4, 3x3) (Lavin and Gray 2015, arXiv:1509.09308) on one tile, all channels.
constexpr int kWinogradIn = 6, kWinogradOut = 4, kWinogradProducts = 36;
struct WinogradOutput {
  const float* products = nullptr;  // [36][...][C], `step` floats apart
  std::int64_t step = 0, channels = 0;
  const float* bias = nullptr;             // [C]
  std::array<std::int64_t, 16> offsets{};  // of the tile's pixels in y and residual; -1: outside
  const std::byte* residual = nullptr;     // or null
  ValueType residual_type;
  std::byte* y = nullptr;
  ValueType y_type;
  float low = 0, high = 0;
};

// Strassen's seven products (cpu/strassen.cpp).
constexpr int kStrassenProducts = 7;
// What the products take of two rows [2 * half] of A, as one row of the tiles of each: `depth` values of each half.
struct StrassenRows {
  const float* top = nullptr;
  const float* bottom = nullptr;  // null: zeros
  std::int64_t half = 0;
  std::int64_t depth = 0;  // whole lines
  float* to = nullptr;     // of the first product; the next lies `step` floats on
  std::int64_t step = 0;
  std::int64_t rows = 0;  // of the tile
};
// What B is: one quarter, or b + second, or b - second.
enum class StrassenTerms { kOne, kSum, kDifference };
// A tile of one product, one full panel wide, goes into one or two quarters of C, which are dense, [rows][columns].
enum class StrassenUpdate { kSet, kAdd, kSubtract };
struct StrassenTarget {
  float* c = nullptr;  // null: there is no second one
  StrassenUpdate update = StrassenUpdate::kSet;
};
struct StrassenTile {
  const float* a = nullptr;
  std::int64_t k = 0;        // whole lines
  const float* b = nullptr;  // [k][columns of a panel]
  // Where B is still to be made of two: the other one, and where what they give is kept.
  const float* second = nullptr;
  float* sum = nullptr;
  std::array<StrassenTarget, 2> targets;
  Ahead ahead{};
};
using StrassenTileFunction = void (*)(const StrassenTile&);
// y = after(clamp(sums + bias + residual)) on a full panel of columns; rows of y and residual are `stride` floats
// apart.
struct StrassenFinish {
  const float* sums = nullptr;  // [rows][columns of a panel]
  std::int64_t rows = 0, stride = 0;
  const float* bias = nullptr;      // null: go on from what is in y
  const float* residual = nullptr;  // or null
  float* y = nullptr;
  float low = 0, high = 0;
  ActivationKind after = ActivationKind::kNone;
};

// x = exp(scale * (x - max(x))) in place on each row, and one over the sum of them: times that, they are a softmax.
struct SoftmaxRows {
  float* x = nullptr;
  std::int64_t rows = 0, stride = 0;     // floats between rows
  std::int64_t count = 0, line = kLine;  // values of a row; floats between its lines of kLine values
  float scale = 1;                       // positive
  float* factors = nullptr;              // [rows]: one over each row's sum
};

constexpr int kMostRows = 16;
constexpr int kMostVectors = 2;
constexpr int kMostPanel = 32;  // columns of a panel
constexpr int kChains = 12;

// How an instruction set multiplies in one of the low precisions.
struct LowPrecision {
  std::string_view name;  // "int8_avx512_vnni"
  int group = 2;          // values of K that go together
  // Type of the rows that the tile reads: as they are stored (1: uint8, 2: bfloat16), or copied to a wider one first
  // (bfloat16: float, 4 bytes) where no instruction multiplies the stored type.
  int row_bytes = 4;
  bool direct = false;    // rows are read as they are stored
  bool finishes = false;  // LowTileArguments::finish
  // Neighbouring weights of one sign may add up to 128 at most: the first and second value of K, the third and fourth,
  // and so on. Columns that would exceed that have coarser steps.
  bool pairs = false;
  int speed = 1;  // products for each of float32's multiply-adds, some
  std::array<std::array<LowTileFunction, kMostRows>, kMostVectors> tile{};
};

struct KernelTable {
  std::string_view isa;   // what selects it: "avx512_bf16"
  std::string_view name;  // of its float32 kernels: "avx512"
  int lanes = 0;          // floats in a vector
  int rows = 0;           // of the highest tile
  // tile[v - 1][r - 1]: r rows, v vectors wide; null beyond `rows`.
  std::array<std::array<TileFunction, kMostRows>, kMostVectors> tile{}, line_tile{};

  // Transposes [columns, k] (rows `stride` apart) into one panel [k][width], padded with zeros.
  void (*pack_panel)(const float* rows, std::int64_t columns, std::int64_t k, std::int64_t stride, std::int64_t width,
                     float* panel) = nullptr;
  // In place on `rows` rows of `count` values, `stride` apart.
  void (*activate)(ActivationKind kind, float* values, std::int64_t rows, std::int64_t count,
                   std::int64_t stride) = nullptr;
  // y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `count` values.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon, float* y,
                     std::int64_t count) = nullptr;
  void (*softmax_numerators)(const SoftmaxRows&) = nullptr;
  // x *= factor in place.
  void (*multiply_row)(float* x, float factor, std::int64_t count) = nullptr;
  // y = the largest value of each column of `row_count` rows.
  void (*max_rows)(const std::byte* const* rows, const ValueType& type, std::int64_t row_count, std::byte* y,
                   const ValueType& y_type, std::int64_t count) = nullptr;
  // y = scale * the sum of each column of rows `stride` values apart.
  void (*sum_rows)(const std::byte* rows, const ValueType& type, std::int64_t row_count, std::int64_t stride,
                   float scale, float* y, std::int64_t count) = nullptr;
  void (*depthwise)(const DepthwiseArguments&) = nullptr;
  void (*depthwise_int8)(const DepthwiseInt8Arguments&) = nullptr;
  void (*depthwise_vnni)(const DepthwiseInt8Arguments&) = nullptr;  // the same by VNNI, as int8_vnni
  // 36 pixels (rows of `channels` values) to a row in lines, `line` floats apart, of each of the 36 products, which are
  // `step` floats apart.
  void (*winograd_input)(const std::byte* const* pixels, const ValueType& type, std::int64_t channels, float* to,
                         std::int64_t line, std::int64_t step) = nullptr;
  void (*winograd_output)(const WinogradOutput&) = nullptr;

  // strassen_tile[terms][r - 1]: r rows; null beyond `rows`.
  std::array<std::array<StrassenTileFunction, kMostRows>, 3> strassen_tile{};
  void (*strassen_rows)(const StrassenRows&) = nullptr;
  void (*strassen_finish)(const StrassenFinish&) = nullptr;

  LowPrecision bf16, int8;
  LowPrecision int8_vnni;        // int8 by VNNI, if compiled for a set that may have it
  const AmxUnit* amx = nullptr;  // what multiplies tiles, if anything does
  void (*finish)(const FinishArguments&) = nullptr;
  // `count` values from and to float32. To bfloat16 they are rounded to nearest even; to uint8 clamped as well.
  void (*decode)(const std::byte* from, const ValueType& type, float* to, std::int64_t count) = nullptr;
  void (*encode)(const float* from, std::byte* to, const ValueType& type, std::int64_t count) = nullptr;
  SplitFunction split = nullptr;  // for AMX

  // For roofline.h: kChains independent chains of multiply-adds, `iterations` long; the sum of `count` values.
  float (*multiply_adds)(std::int64_t iterations) = nullptr;
  float (*sum)(const float* values, std::int64_t count) = nullptr;

  int panel() const { return lanes * kMostVectors; }  // columns of a full panel
};

// The sets that this binary has and this machine can run, the best first. Never empty.
std::span<const KernelTable> kernel_tables();

// AMX by plain loops, which every machine can test. Not among kernel_tables(), but find_table() knows it.
constexpr std::string_view kEmulatedAmx = "emulated_amx";

// By KernelTable::isa; "auto" is the best. Throws DeviceError listing what there is.
const KernelTable& find_table(const std::string& isa);

}  // namespace tessera::cpu
