// Times the tiles of matrix products in turn with multiply-adds between registers, in slices of well under a
// millisecond: how much of the peak a tile reaches, and how much of that is left in the slower moments of a core whose
// other hyperthread is busy.
//
//   tiles_bench [ISA [DEPTH]]
//
// A [100 rows, DEPTH] in the L2 cache times one panel of B. GFLOP/s as percentages of the peak, the fastest but 1 % of
// the slices of multiply-adds: those of the slowest tenth, the median, and the fastest tenth of each tile's slices.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/quantile.h"
#include "core/tensor.h"
#include "cpu/blocking.h"
#include "cpu/kernels.h"

namespace tessera::cpu {
namespace {

constexpr std::int64_t kRows = 100;
constexpr int kRounds = 2000;

struct Work {
  std::string name;
  std::function<void()> run;
  double flop = 0;
  std::vector<double> gflops;
};

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Operands of all tiles: rows where they lie and the same memory as lines; C is dense.
struct Operands {
  Operands(const KernelTable& table, std::int64_t depth)
      : a(Tensor::filled({kRows, depth}, 1e-3F)),
        b(Tensor::filled({depth, table.panel()}, 1e-3F)),
        c(Tensor::zeros({kRows, table.panel()})) {}
  Tensor a, b, c;
};

void run_tiles(const KernelTable& table, Operands& operands, bool in_lines) {
  const RowTiles tiles(kRows, table.rows);
  const std::int64_t depth = operands.b.shape()[0], panel = table.panel();
  for (std::int64_t i = 0; i < tiles.count(); ++i) {
    const RowTile rows = tiles[i];
    std::array<const float*, kMostRows> pointers{};
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      pointers[static_cast<std::size_t>(r)] = operands.a.data() + (rows.first + r) * depth;
    }
    TileArguments tile{.k = depth,
                       .b = operands.b.data(),
                       .c = operands.c.data() + rows.first * panel,
                       .stride = panel,
                       .columns = panel,
                       .low = -1e9F,
                       .high = 1e9F};
    tile.a = pointers.data();
    tile.lines = operands.a.data() + rows.first * depth;
    const auto& functions = in_lines ? table.line_tile : table.tile;
    functions[kMostVectors - 1][static_cast<std::size_t>(rows.rows) - 1](tile);
  }
}

void run_strassen_tiles(const KernelTable& table, Operands& operands) {
  const RowTiles tiles(kRows, table.rows);
  const std::int64_t depth = operands.b.shape()[0], panel = table.panel();
  for (std::int64_t i = 0; i < tiles.count(); ++i) {
    const RowTile rows = tiles[i];
    StrassenTile tile{.a = operands.a.data() + rows.first * depth, .k = depth, .b = operands.b.data(), .targets = {}};
    tile.targets[0] = {operands.c.data() + rows.first * panel, StrassenUpdate::kSet};
    table.strassen_tile[static_cast<std::size_t>(StrassenTerms::kOne)][static_cast<std::size_t>(rows.rows) - 1](tile);
  }
}

void run(const std::string& isa, std::int64_t depth) {
  const KernelTable& table = find_table(isa);
  Operands operands(table, depth);
  constexpr std::int64_t kIterations = 5000;
  volatile float sink = 0;
  const double flop = 2.0 * static_cast<double>(kRows * depth * table.panel());
  std::vector<Work> works{
      {"multiply-adds between registers",
       [&] { sink = table.multiply_adds(kIterations); },
       2.0 * static_cast<double>(kIterations * kChains * table.lanes),
       {}},
      {"tiles of rows where they lie", [&] { run_tiles(table, operands, false); }, flop, {}},
      {"tiles of rows in lines", [&] { run_tiles(table, operands, true); }, flop, {}},
      {"Strassen's tiles", [&] { run_strassen_tiles(table, operands); }, flop, {}},
  };
  for (int round = 0; round < kRounds; ++round) {
    for (Work& work : works) work.gflops.push_back(work.flop / seconds_of(work.run) * 1e-9);
  }
  for (Work& work : works) std::ranges::sort(work.gflops);
  const double peak = quantile(works.front().gflops, 0.99);
  fmt::print("{}, depth {}, peak {:.1f} GFLOP/s\n", table.isa, depth, peak);
  fmt::print("{:34}{:>12}{:>9}{:>12}\n", "% of the peak", "slow tenth", "median", "fast tenth");
  for (const Work& work : works) {
    const auto percent = [&](double q) { return quantile(work.gflops, q) / peak * 100; };
    fmt::print("{:34}{:12.1f}{:9.1f}{:12.1f}\n", work.name, percent(0.1), percent(0.5), percent(0.9));
  }
}

std::int64_t whole_lines_of(std::string_view text) {
  std::int64_t depth = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), depth).ec != std::errc() || depth < kLine ||
      depth % kLine != 0) {
    throw UsageError(fmt::format("DEPTH is a multiple of {}, not {}", kLine, text));
  }
  return depth;
}

}  // namespace
}  // namespace tessera::cpu

int main(int argc, char** argv) {
  try {
    tessera::cpu::run(argc > 1 ? argv[1] : "auto", argc > 2 ? tessera::cpu::whole_lines_of(argv[2]) : 384);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tiles_bench: %s\n", error.what());
    return 2;
  }
}
