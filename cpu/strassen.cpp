// C = A * B + bias by Strassen's algorithm (1969, doi:10.1007/BF02165411), one level of it: seven products of quarters
// instead of eight. B is the packed weight of a linear layer or of a 1x1 convolution.
//
// The quarters are chosen so that nothing needs to be moved: A's rows in pairs of neighbours of one picture, so that a
// picture's bits do not depend on the others; K in halves; B's panels in pairs of neighbours. Sums of A are made once
// for all panels. The first tile of rows makes those of B on its way. Each product is added to its quarters of C as its
// tile leaves the registers (Huang et al. 2016, "Strassen's Algorithm Reloaded", doi:10.1109/SC.2016.58).
//
// The tile reads A in lines (cpu/gemm.h). In float32 only, for products of at least 100 rows, 384 deep and 256 wide:
// smaller ones were level or up to 8 % slower. The sums cost some digits, so `--exact` leaves it out.
#include <algorithm>
#include <array>
#include <limits>

#include "cpu/gemm.h"
#include "cpu/implementations.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kMostPairs = 160;  // of rows at a time: their part of C stays in the L2 cache
// With so many pairs for each, the threads take rows of their own: each then makes its own sums of A alone, and the
// next layer finds the rows in the cache of the core that wrote them.
constexpr std::int64_t kFewestOwnPairs = 40;
constexpr std::int64_t kDepth = 512;  // values of K at a time, of either half: so that sums of A stay there as well

// A quarter of B or C: its row and column.
enum Quarter : std::uint8_t { k11, k12, k21, k22 };

// One product: (what strassen_rows makes of A) times (terms of B), and the quarters of C that it is added to.
struct Recipe {
  StrassenTerms terms;
  Quarter b, second;
  std::array<Quarter, 2> c;
  std::array<StrassenUpdate, 2> updates;
  std::size_t targets;
  int complete;  // the quarter that is complete with it, or kNone
};
constexpr int kNone = -1;
using enum StrassenUpdate;
using enum StrassenTerms;
// In this order a quarter's first update sets it.
constexpr std::array<Recipe, kStrassenProducts> kRecipes{{
    {kSum, k11, k22, {k11, k22}, {kSet, kSet}, 2, kNone},         // (A11 + A22) (B11 + B22)
    {kOne, k11, k11, {k21, k22}, {kSet, kSubtract}, 2, kNone},    // (A21 + A22) B11
    {kDifference, k12, k22, {k12, k22}, {kSet, kAdd}, 2, kNone},  // A11 (B12 - B22)
    {kDifference, k21, k11, {k11, k21}, {kAdd, kAdd}, 2, k21},    // A22 (B21 - B11)
    {kOne, k22, k22, {k12, k11}, {kAdd, kSubtract}, 2, k12},      // (A11 + A12) B22
    {kSum, k11, k12, {k22, k22}, {kAdd, kAdd}, 1, k22},           // (A21 - A11) (B11 + B12)
    {kSum, k21, k22, {k11, k11}, {kAdd, kAdd}, 1, k11},           // (A12 - A22) (B21 + B22)
}};

bool is_right(Quarter quarter) { return quarter == k12 || quarter == k22; }
bool is_bottom(Quarter quarter) { return quarter == k21 || quarter == k22; }

std::int64_t pairs_of(std::int64_t rows) { return ceil_div(rows, 2); }

struct StrassenProduct {
  const KernelTable& table;
  const PackedMatrix& b;
  std::int64_t rows = 0;            // of each picture
  float* c = nullptr;               // [pictures * rows, n]
  const float* residual = nullptr;  // like c, or null
  Epilogue epilogue;
};

// Some pairs of rows times all panels.
class Chunk {
 public:
  Chunk(const StrassenProduct& product, const RowTile& pairs)
      : product_(product),
        table_(product.table),
        half_(product.b.k() / 2),
        first_(pairs.first),
        pairs_(pairs.rows),
        tiles_(pairs.rows, table_.rows) {}

  // Of scratch for each thread: sums of A, quarters of C, a sum of B.
  static std::int64_t floats(const KernelTable& table, std::int64_t pairs, std::int64_t k) {
    const std::int64_t depth = std::min(k / 2, kDepth);
    return kStrassenProducts * pairs * depth + (4 * pairs + depth) * table.panel();
  }

  // All chunks of `pairs`. A task is a pair of panels of one of them, whose sums of A each thread makes for itself.
  static void run(const StrassenProduct& product, RowPointers pointers, const RowTiles& pairs, ThreadPool& threads,
                  float* scratch) {
    const std::int64_t own = floats(product.table, pairs[0].rows, product.b.k());
    for (std::int64_t part = 0; part < Chunk(product, pairs[0]).parts(); ++part) {
      for_each_task(
          pairs.count(), product.b.panels() / 2, own, scratch, threads,
          [&](std::int64_t index, float* memory) {
            const Chunk chunk(product, pairs[index]);
            chunk.add_rows(chunk.part_at(part, memory), pointers);
          },
          [&](std::int64_t index, std::int64_t column, float* memory) {
            const Chunk chunk(product, pairs[index]);
            chunk.multiply_column(column, chunk.part_at(part, memory));
          });
    }
  }

 private:
  // Values [begin, end) of each half of K, and a thread's scratch.
  struct Part {
    std::int64_t begin, end;
    float* rows;  // sums of A
    float* c;     // four quarters of C, and a sum of B
    std::int64_t depth() const { return end - begin; }
  };
  std::int64_t columns() const { return product_.b.panels() / 2; }
  std::int64_t parts() const { return ceil_div(half_, kDepth); }
  Part part_at(std::int64_t index, float* rows) const {
    const std::int64_t lines = half_ / kLine;
    const std::int64_t begin = index * lines / parts() * kLine, end = (index + 1) * lines / parts() * kLine;
    return {begin, end, rows, rows + kStrassenProducts * pairs_ * (end - begin)};
  }
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

  // What product `index` multiplies of a tile.
  float* rows_of(std::int64_t index, const RowTile& tile, const Part& part) const {
    return part.rows + (index * pairs_ + tile.first) * part.depth();
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

  void add_rows(const Part& part, RowPointers pointers) const {
    for (std::int64_t t = 0; t < tiles_.count(); ++t) {
      const RowTile tile = tiles_[t];
      for (std::int64_t r = 0; r < tile.rows; ++r) {
        const auto [top, has_bottom] = pair_at(first_ + tile.first + r);
        std::array<const float*, 2> rows{};
        pointers(top, has_bottom ? 2 : 1, rows.data());
        table_.strassen_rows({.top = rows[0] + part.begin,
                              .bottom = has_bottom ? rows[1] + part.begin : nullptr,
                              .half = half_,
                              .depth = part.depth(),
                              .to = rows_of(0, tile, part) + r * kLine,
                              .step = pairs_ * part.depth(),
                              .rows = tile.rows});
      }
    }
  }

  // One pair of panels.
  void multiply_column(std::int64_t column, const Part& part) const {
    for (std::int64_t i = 0; i < kStrassenProducts; ++i) multiply_quarter(i, column, part);
  }

  // The share of the next pair of panels that the `index`-th tile of all products fetches meanwhile: some of a quarter.
  Ahead ahead(std::int64_t index, std::int64_t column, const Part& part) const {
    const std::int64_t quarter_bytes = part.depth() * table_.panel() * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t step = ceil_div(4 * quarter_bytes, kStrassenProducts * tiles_.count() * part.depth());
    const std::int64_t at = index * step * part.depth();
    if (column + 1 == columns() || at >= 4 * quarter_bytes) return {};
    const float* quarter = quarter_of_b(static_cast<Quarter>(at / quarter_bytes), column + 1, part.begin);
    return {reinterpret_cast<const std::byte*>(quarter) + at % quarter_bytes, step};
  }

  void multiply_quarter(std::int64_t index, std::int64_t column, const Part& part) const {
    const Recipe& recipe = kRecipes[static_cast<std::size_t>(index)];
    StrassenTerms terms = recipe.terms;
    StrassenTile tile{.k = part.depth(),
                      .b = quarter_of_b(recipe.b, column, part.begin),
                      .second = quarter_of_b(recipe.second, column, part.begin),
                      .sum = quarter_of_c(part.c, k11, 4 * pairs_),
                      .targets = {},
                      .ahead = {}};
    for (std::int64_t t = 0; t < tiles_.count(); ++t) {
      const RowTile rows = tiles_[t];
      tile.a = rows_of(index, rows, part);
      tile.ahead = ahead(index * tiles_.count() + t, column, part);
      for (std::size_t n = 0; n < recipe.targets; ++n) {
        tile.targets[n] = {quarter_of_c(part.c, recipe.c[n], rows.first), recipe.updates[n]};
      }
      if (recipe.complete == kNone) {
        run(terms, rows, tile);
      } else {
        const auto quarter = static_cast<Quarter>(recipe.complete);
        const auto panel = 2 * column + (is_right(quarter) ? 1 : 0);
        // What the end writes and reads arrives while the tile is multiplied.
        for_each_picture(quarter, column, rows,
                         [&](const RowTile& some, std::int64_t at) { fetch_rows(some.rows, at); });
        run(terms, rows, tile);
        const float* sums = quarter_of_c(part.c, quarter, rows.first);
        for_each_picture(quarter, column, rows, [&](const RowTile& some, std::int64_t at) {
          finish_rows(sums + some.first * table_.panel(), some.rows, panel, part, at);
        });
      }
      if (terms == kOne) continue;
      terms = kOne;  // the first tile has made the sum
      tile.b = tile.sum;
    }
  }

  void run(StrassenTerms terms, const RowTile& rows, const StrassenTile& tile) const {
    table_.strassen_tile[static_cast<std::size_t>(terms)][static_cast<std::size_t>(rows.rows) - 1](tile);
  }

  // Calls body(rows, at) for the rows of a tile that one picture has in a quarter: counted from the tile's first one,
  // and where they begin in C.
  template <class Body>
  void for_each_picture(Quarter quarter, std::int64_t column, const RowTile& rows, const Body& body) const {
    const std::int64_t in_picture = pairs_of(product_.rows), begin = first_ + rows.first;
    for (std::int64_t pair = begin; pair < begin + rows.rows;) {
      const std::int64_t end = std::min(begin + rows.rows, (pair / in_picture + 1) * in_picture);
      const bool lacks_one = is_bottom(quarter) && !pair_at(end - 1).has_bottom;
      body(RowTile{pair - begin, end - pair - (lacks_one ? 1 : 0)}, value_at(pair, quarter, column));
      pair = end;
    }
  }

  void fetch_rows(std::int64_t rows, std::int64_t at) const {
    const std::int64_t stride = 2 * product_.b.n();
    for (std::int64_t row = 0; row < rows; ++row, at += stride) {
      for (std::int64_t line = 0; line < table_.panel(); line += kLine) {
        __builtin_prefetch(product_.c + at + line, 1);
        if (product_.residual != nullptr) __builtin_prefetch(product_.residual + at + line);
      }
    }
  }

  // Rows of a quarter become values of C.
  void finish_rows(const float* sums, std::int64_t rows, std::int64_t panel, const Part& part, std::int64_t at) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::int64_t stride = 2 * product_.b.n();
    const Epilogue& epilogue = product_.epilogue;
    const bool last = part.end == half_;
    table_.strassen_finish({.sums = sums,
                            .rows = rows,
                            .stride = stride,
                            .bias = part.begin == 0 ? product_.b.bias(panel) : nullptr,
                            .residual = last && product_.residual != nullptr ? product_.residual + at : nullptr,
                            .y = product_.c + at,
                            .low = last ? epilogue.low : -kInfinity,
                            .high = last ? epilogue.high : kInfinity,
                            .after = last ? epilogue.after : ActivationKind::kNone});
  }

  const StrassenProduct& product_;
  const KernelTable& table_;
  std::int64_t half_;
  std::int64_t first_, pairs_;
  RowTiles tiles_;
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
    scratch_ = request.threads * task_floats(Chunk::floats(table, pairs, weight_.k()));
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
                                  .epilogue = epilogue_};
    const auto point = [&](std::int64_t row, std::int64_t rows, const float** pointers) {
      patches_.point<float>(from, weight_.k(), nullptr, row, rows, pointers);
    };
    const std::int64_t pairs = x.shape()[0] * pairs_of(rows_), threads = arguments.threads.threads();
    const std::int64_t share = ceil_div(pairs, threads), most = share < kFewestOwnPairs ? kMostPairs : share;
    Chunk::run(product, point, {pairs, std::min(most, kMostPairs)}, arguments.threads, arguments.scratch.data());
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
         in[3] % (2 * kLine) == 0;
}

std::unique_ptr<Kernel> make_strassen(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                      Weights weights) {
  return std::make_unique<StrassenKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
