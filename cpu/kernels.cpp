#include "cpu/kernels.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "cpu/dot.h"

// Highway compiles this file once for each of its targets: 128 bits (to test that nothing hangs on a vector's width),
// 256 and 512. Targets between them differ in instructions that are not used here. TESSERA_TARGETS_LEFT_OUT: more that
// a build does without (CMakeLists.txt).
#ifndef TESSERA_TARGETS_LEFT_OUT
#define TESSERA_TARGETS_LEFT_OUT 0
#endif
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | TESSERA_TARGETS_LEFT_OUT)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Highway's targets without vector instructions (scalar, or EMU128 with clang) are a part of every build of it and are
// never chosen here: every x86-64-v3 machine has SSE4.
#undef TESSERA_VECTORS
#define TESSERA_VECTORS (HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128)
#if TESSERA_VECTORS
// Each needs what stands before it.
// clang-format off
#include "cpu/tile-inl.h"
#include "cpu/vector-inl.h"
#include "cpu/codec-inl.h"
#include "cpu/depthwise-inl.h"
#include "cpu/dot-inl.h"
#include "cpu/depthwise_int8-inl.h"
#include "cpu/low-inl.h"
#include "cpu/strassen-inl.h"
#include "cpu/winograd-inl.h"
// clang-format on
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::cpu::HWY_NAMESPACE {

KernelTable make_table() {
  KernelTable table;
#if TESSERA_VECTORS
  const auto choose = [](std::string_view avx512, std::string_view avx2, std::string_view sse4) {
    return HWY_TARGET <= HWY_AVX3 ? avx512 : HWY_TARGET <= HWY_AVX2 ? avx2 : sse4;
  };
  table.name = table.isa = choose("avx512", "avx2", "sse4");
  table.lanes = static_cast<int>(kLanes);
  table.rows = kTileRows;
  table.tile = {tiles_of_width<1>(std::make_integer_sequence<int, kTileRows>()),
                tiles_of_width<2>(std::make_integer_sequence<int, kTileRows>())};
  table.line_tile = {line_tiles_of_width<1>(std::make_integer_sequence<int, kTileRows>()),
                     line_tiles_of_width<2>(std::make_integer_sequence<int, kTileRows>())};
  table.pack_panel = &pack_panel;
  table.activate = &activate;
  table.layer_norm = &layer_norm;
  table.softmax_numerators = &softmax_numerators;
  table.multiply_row = &multiply_row;
  table.max_rows = &max_rows;
  table.sum_rows = &sum_rows;
  table.depthwise = &depthwise;
  table.depthwise_int8 = &depthwise_int8<WidenedDot>;
  table.multiply_adds = &multiply_adds;
  table.sum = &sum;
  table.winograd_input = &winograd_input;
  table.winograd_output = &winograd_output;
  const auto rows = std::make_integer_sequence<int, kTileRows>();
  table.strassen_tile = {strassen_tiles<StrassenTerms::kOne>(rows), strassen_tiles<StrassenTerms::kSum>(rows),
                         strassen_tiles<StrassenTerms::kDifference>(rows)};
  table.strassen_rows = &strassen_rows;
  table.strassen_finish = &strassen_finish;
  table.bf16 = {.name = choose("bf16_avx512", "bf16_avx2", "bf16_sse4"),
                .group = 2,
                .row_bytes = 4,
                .tile = {bf16_tiles<1>(rows), bf16_tiles<2>(rows)}};
  table.int8 = int8_by<TileDot>(choose("int8_avx512", "int8_avx2", "int8_sse4"), rows);
#if HWY_TARGET == HWY_AVX2
  table.int8_vnni = int8_by<VnniDot>("int8_avx2_vnni", rows);
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  table.depthwise_vnni = &depthwise_int8<VnniDot>;
#endif
  table.finish = &finish;
  table.decode = &decode;
  table.encode = &encode;
  table.split = &split;
#endif
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
      if (target == HWY_SCALAR || target == HWY_EMU128) continue;
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      const KernelTable table = HWY_DYNAMIC_DISPATCH(make_table)();
      add_dot_products(table, made);
      made.push_back(table);
    }
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
    return made;
  }();
  return tables;
}

namespace {
// Tiles by plain loops beside the best of the rest.
const KernelTable& emulated_amx() {
  static const KernelTable table = [] {
    KernelTable made = *std::ranges::find(kernel_tables(), nullptr, &KernelTable::amx);
    made.amx = &emulated_amx_unit();
    made.isa = kEmulatedAmx;
    return made;
  }();
  return table;
}
}  // namespace

const KernelTable& find_table(const std::string& isa) {
  if (isa == kEmulatedAmx) return emulated_amx();
  std::string known;
  for (const KernelTable& table : kernel_tables()) {
    if (isa == "auto" || isa == table.isa) return table;
    known += " " + std::string(table.isa);
  }
  throw DeviceError("this machine does not run the instruction set '" + isa + "'; it runs:" + known);
}

}  // namespace tessera::cpu
#endif
