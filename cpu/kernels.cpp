#include "cpu/kernels.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"

// Highway compiles this file once for each of its targets: 128 bits (to test that nothing hangs on a vector's width),
// 256 and 512. Targets between them differ in instructions that are not used here.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/tile-inl.h"
#include "cpu/vector-inl.h"

#include "cpu/depthwise-inl.h"
#include "cpu/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

KernelTable make_table() {
  KernelTable table;
  table.name = HWY_TARGET <= HWY_AVX3 ? "avx512" : HWY_TARGET <= HWY_AVX2 ? "avx2" : "sse4";
  table.lanes = static_cast<int>(kLanes);
  table.rows = kTileRows;
  table.tile = {tiles_of_width<1>(std::make_integer_sequence<int, kTileRows>()),
                tiles_of_width<2>(std::make_integer_sequence<int, kTileRows>())};
  table.activate = &activate;
  table.layer_norm = &layer_norm;
  table.softmax_numerators = &softmax_numerators;
  table.multiply_row = &multiply_row;
  table.max_rows = &max_rows;
  table.sum_rows = &sum_rows;
  table.depthwise = &depthwise;
  table.multiply_adds = &multiply_adds;
  table.sum = &sum;
  table.winograd_input = &winograd_input;
  table.winograd_output = &winograd_output;
  return table;
}

}  // namespace tessera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::cpu {

HWY_EXPORT(make_table);

std::span<const KernelTable> kernel_tables() {
  static const std::vector<KernelTable> tables = [] {
    std::vector<KernelTable> made;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {  // the best first
      if (target == HWY_SCALAR) continue;  // every machine that this binary runs on has SSE4
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      made.push_back(HWY_DYNAMIC_DISPATCH(make_table)());
    }
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
    return made;
  }();
  return tables;
}

const KernelTable& find_table(const std::string& isa) {
  std::string known;
  for (const KernelTable& table : kernel_tables()) {
    if (isa == "auto" || isa == table.name) return table;
    known += " " + std::string(table.name);
  }
  throw DeviceError("this machine does not run the instruction set '" + isa + "'; it runs:" + known);
}

}  // namespace tessera::cpu
#endif
