// C = A * B + bias by Strassen's algorithm (1969, doi:10.1007/BF02165411), one level of it: seven products of quarters
// instead of eight. B is the packed weight of a linear layer or of a 1x1 convolution.
//
// The quarters are chosen so that nothing need be moved: A's rows in pairs of neighbours of one picture, so that what a
// picture gets does not depend on the others; K in halves; B's panels in pairs of neighbours. Sums of A are made once
// for all panels, those of B by the first tile of rows on its way, and each product is added to the quarters of C that
// it belongs to as its tile leaves the registers (Huang et al. 2016, "Strassen's Algorithm Reloaded",
// doi:10.1109/SC.2016.58).
#include <algorithm>
#include <array>

#include "cpu/gemm.h"
#include "cpu/implementations.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kMostPairs = 160;  // of rows at a time: their part of C stays in the L2 cache
constexpr std::int64_t kDepth = 768;      // values of K at a time: as of a quarter of B

// A quarter of B or C: its row and column.
enum Quarter : std::uint8_t { k11, k12, k21, k22 };

// One product: (what strassen_rows makes of A) times (terms of B), and the quarters of C that it is added to.
struct Recipe {
  StrassenTerms terms;
  Quarter b, second;
  std::array<Quarter, 2> c;
  std::array<StrassenUpdate, 2> updates;
  std::size_t targets;
};
using enum StrassenUpdate;
using enum StrassenTerms;
// In this order a quarter's first update sets it.
constexpr std::array<Recipe, kStrassenProducts> kRecipes{{
    {kSum, k11, k22, {k11, k22}, {kSet, kSet}, 2},         // (A11 + A22) (B11 + B22)
    {kOne, k11, k11, {k21, k22}, {kSet, kSubtract}, 2},    // (A21 + A22) B11
    {kDifference, k12, k22, {k12, k22}, {kSet, kAdd}, 2},  // A11 (B12 - B22)
    {kDifference, k21, k11, {k11, k21}, {kAdd, kAdd}, 2},  // A22 (B21 - B11)
    {kOne, k22, k22, {k12, k11}, {kAdd, kSubtract}, 2},    // (A11 + A12) B22
    {kSum, k11, k12, {k22, k22}, {kAdd, kAdd}, 1},         // (A21 - A11) (B11 + B12)
    {kSum, k21, k22, {k11, k11}, {kAdd, kAdd}, 1},         // (A12 - A22) (B21 + B22)
}};
constexpr std::array<Quarter, 4> kQuarters{k11, k12, k21, k22};

bool is_right(Quarter quarter) { return quarter == k12 || quarter == k22; }
bool is_bottom(Quarter quarter) { return quarter == k21 || quarter == k22; }

std::int64_t pairs_of(std::int64_t rows) { return ceil_div(rows, 2); }
// All pairs are done in equal chunks.
std::int64_t chunk_pairs(std::int64_t pairs) { return ceil_div(pairs, ceil_div(pairs, kMostPairs)); }

struct StrassenProduct {
  const KernelTable& table;
  const PackedMatrix& b;
  std::int64_t rows = 0;            // of each picture
  float* c = nullptr;               // [pictures * rows, n]
  const float* residual = nullptr;  // like c, or null
  Epilogue epilogue;
  float* scratch = nullptr;
};

// Some pairs of rows times all panels.
class Chunk {
 public:
  Chunk(const StrassenProduct& product, std::int64_t first, std::int64_t pairs)
      : product_(product),
        table_(product.table),
        half_(product.b.k() / 2),
        first_(first),
        pairs_(pairs),
        tiles_(ceil_div(pairs, table_.rows)) {}

  static std::int64_t shared_floats(std::int64_t pairs, std::int64_t k) { return kStrassenProducts * pairs * (k / 2); }
  static std::int64_t own_floats(const KernelTable& table, std::int64_t pairs, std::int64_t k) {
    return (4 * pairs + std::min(k / 2, kDepth)) * table.panel();
  }

  void run(RowPointers pointers, ThreadPool& threads) const {
    threads.for_each(tiles_, [&](std::int64_t tile, int) { add_rows(tile, pointers); });
    threads.for_each(product_.b.panels() / 2,
                     [&](std::int64_t column, int thread) { multiply_column(column, thread); });
  }

 private:
  // The two rows of a pair; the last of an odd number of rows stands alone.
  struct Pair {
    std::int64_t top;
    bool has_bottom;
  };
  Pair pair_at(std::int64_t pair) const {
    const std::int64_t in_picture = pairs_of(product_.rows);
    const std::int64_t row = pair % in_picture * 2;
    return {pair / in_picture * product_.rows + row, row + 1 < product_.rows};
  }
  RowTile tile_at(std::int64_t tile) const { return row_tile(0, pairs_, tiles_, tile); }

  // What product `index` multiplies of tile `tile`.
  float* rows_of(std::int64_t index, const RowTile& tile) const {
    return product_.scratch + (index * pairs_ + tile.first) * half_;
  }
  float* own(int thread) const {
    const std::int64_t k = product_.b.k();
    return product_.scratch + shared_floats(pairs_, k) + thread * own_floats(table_, pairs_, k);
  }
  // A dense quarter of C, from row `row` on.
  float* quarter_of_c(float* c, Quarter quarter, std::int64_t row) const {
    return c + (quarter * pairs_ + row) * table_.panel();
  }
  // A quarter of a pair of panels, from value `begin` of its K on.
  const float* quarter_of_b(Quarter quarter, std::int64_t column, std::int64_t begin) const {
    return product_.b.panel(2 * column + (is_right(quarter) ? 1 : 0)) +
           ((is_bottom(quarter) ? half_ : 0) + begin) * table_.panel();
  }
  // Value of C, and of the residual, where a pair's row of a quarter begins.
  std::int64_t value_at(std::int64_t pair, Quarter quarter, std::int64_t column) const {
    return (pair_at(pair).top + (is_bottom(quarter) ? 1 : 0)) * product_.b.n() +
           (2 * column + (is_right(quarter) ? 1 : 0)) * table_.panel();
  }

  void add_rows(std::int64_t index, RowPointers pointers) const {
    const RowTile tile = tile_at(index);
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      const auto [top, has_bottom] = pair_at(first_ + tile.first + r);
      std::array<const float*, 2> rows{};
      pointers(top, has_bottom ? 2 : 1, rows.data());
      table_.strassen_rows({.top = rows[0],
                            .bottom = rows[1],
                            .half = half_,
                            .to = rows_of(0, tile) + r * kStrassenLine,
                            .step = pairs_ * half_,
                            .rows = tile.rows});
    }
  }

  // One pair of panels.
  void multiply_column(std::int64_t column, int thread) const {
    float* c = own(thread);
    const std::int64_t lines = half_ / kStrassenLine, parts = ceil_div(half_, kDepth);
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t begin = part * lines / parts * kStrassenLine;
      const std::int64_t end = (part + 1) * lines / parts * kStrassenLine;
      for (std::int64_t i = 0; i < kStrassenProducts; ++i) {
        multiply_quarter(i, column, begin, end - begin, c);
      }
    }
    for (const Quarter quarter : kQuarters) finish(quarter, column, quarter_of_c(c, quarter, 0));
  }

  void multiply_quarter(std::int64_t index, std::int64_t column, std::int64_t begin, std::int64_t depth,
                        float* c) const {
    const Recipe& recipe = kRecipes[static_cast<std::size_t>(index)];
    StrassenTerms terms = recipe.terms;
    StrassenTile tile{.k = depth,
                      .b = quarter_of_b(recipe.b, column, begin),
                      .second = quarter_of_b(recipe.second, column, begin),
                      .sum = quarter_of_c(c, k11, 4 * pairs_),
                      .targets = {}};
    for (std::int64_t t = 0; t < tiles_; ++t) {
      const RowTile rows = tile_at(t);
      tile.a = rows_of(index, rows) + begin * rows.rows;
      for (std::size_t n = 0; n < recipe.targets; ++n) {
        const bool adds = recipe.updates[n] == kSet && begin > 0;
        tile.targets[n] = {quarter_of_c(c, recipe.c[n], rows.first), adds ? kAdd : recipe.updates[n]};
      }
      table_.strassen_tile[static_cast<std::size_t>(terms)][static_cast<std::size_t>(rows.rows) - 1](tile);
      if (terms == kOne) continue;
      terms = kOne;  // the first tile has made the sum
      tile.b = tile.sum;
    }
  }

  // A quarter becomes values of C: rows of one picture at a time.
  void finish(Quarter quarter, std::int64_t column, const float* sums) const {
    const std::int64_t in_picture = pairs_of(product_.rows);
    for (std::int64_t pair = first_; pair < first_ + pairs_;) {
      const std::int64_t end = std::min(first_ + pairs_, (pair / in_picture + 1) * in_picture);
      const bool lacks_one = is_bottom(quarter) && !pair_at(end - 1).has_bottom;
      finish_rows(sums + (pair - first_) * table_.panel(), end - pair - (lacks_one ? 1 : 0),
                  2 * column + (is_right(quarter) ? 1 : 0), value_at(pair, quarter, column));
      pair = end;
    }
  }
  void finish_rows(const float* sums, std::int64_t rows, std::int64_t panel, std::int64_t at) const {
    const std::int64_t stride = 2 * product_.b.n();
    const Epilogue& epilogue = product_.epilogue;
    float* y = product_.c + at;
    table_.strassen_finish({.sums = sums,
                            .rows = rows,
                            .stride = stride,
                            .bias = product_.b.bias(panel),
                            .residual = product_.residual == nullptr ? nullptr : product_.residual + at,
                            .y = y,
                            .low = epilogue.low,
                            .high = epilogue.high});
    if (epilogue.after != ActivationKind::kNone) table_.activate(epilogue.after, y, rows, table_.panel(), stride);
  }

  const StrassenProduct& product_;
  const KernelTable& table_;
  std::int64_t half_;
  std::int64_t first_, pairs_, tiles_;
};

class StrassenKernel final : public TableKernel {
 public:
  StrassenKernel(const KernelTable& table, const Conv2d& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "strassen"),
        patches_(layer, request.in[0], request.out),
        rows_(request.out[1] * request.out[2]),
        epilogue_(make_epilogue(layer.activation)),
        residual_(layer.residual),
        weight_(table, weights[0].data(), layer.out_channels, request.in[0][3], request.in[0][3],
                layer.bias ? std::as_const(weights[1]).values() : std::span<const float>()) {
    const std::int64_t pairs = std::min(kMostPairs, request.in[0][0] * pairs_of(rows_));
    scratch_ =
        Chunk::shared_floats(pairs, weight_.k()) + request.threads * Chunk::own_floats(table, pairs, weight_.k());
  }

  std::int64_t scratch() const noexcept override { return scratch_; }
  std::size_t weight_bytes() const noexcept override { return weight_.bytes(); }

  void run(const KernelArguments& arguments) const override {
    const ConstValueView& x = arguments.inputs[0];
    const float* from = x.f32().data();
    const StrassenProduct product{.table = table_,
                                  .b = weight_,
                                  .rows = rows_,
                                  .c = arguments.output.f32().data(),
                                  .residual = residual_ ? arguments.inputs[1].f32().data() : nullptr,
                                  .epilogue = epilogue_,
                                  .scratch = arguments.scratch.data()};
    const auto point = [&](std::int64_t row, std::int64_t rows, const float** pointers) {
      patches_.point<float>(from, weight_.k(), nullptr, row, rows, pointers);
    };
    const std::int64_t pairs = x.shape()[0] * pairs_of(rows_), most = chunk_pairs(pairs);
    for (std::int64_t first = 0; first < pairs; first += most) {
      Chunk(product, first, std::min(most, pairs - first)).run(point, arguments.threads);
    }
  }

 private:
  Patches patches_;
  std::int64_t rows_;  // of a picture
  Epilogue epilogue_;
  bool residual_;
  PackedMatrix weight_;
  std::int64_t scratch_ = 0;
};

}  // namespace

bool can_strassen(const KernelTable& table, const Conv2d& layer, const Shape& in) {
  return layer.kernel == Size2(1) && layer.groups == 1 && layer.leading_padding(in) == Size2(0) &&
         layer.padding == Size2(0) && layer.out_channels % (std::int64_t{2} * table.panel()) == 0 &&
         in[3] % (2 * kStrassenLine) == 0;
}

std::unique_ptr<Kernel> make_strassen(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                      Weights weights) {
  return std::make_unique<StrassenKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
