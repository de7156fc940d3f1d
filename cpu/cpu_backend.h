#pragma once
// The fast CPU backend: packed matrix products, Winograd convolutions and vector kernels, for the best instruction set
// of the machine. Layers that have no kernel here run their own forward(), as on the backend "eigen".
//
// Results are the same bits for every number of threads, batch size and place in the batch on one instruction set.
// Between instruction sets, and against the backend "eigen", they differ by rounding.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace tessera {

// The type in which matrix products (linear layers, convolutions) multiply, and in which values are kept between layers
// that can read it. Sums are float32, of int8 products int32. Norms, softmax, attention and Winograd's transforms
// compute in float32 always.
enum class Precision { kF32, kBf16, kInt8 };

// The fastest way to compute each layer on this machine, found by tune_kernels(). Opaque.
using KernelChoices = std::map<std::string, std::string>;

struct CpuOptions {
  std::string isa = "auto";  // or one of cpu_isas(); for tests also "emulated_amx"
  // No Winograd and no Strassen, whose sums cost some digits, and no float32 in parts by AMX.
  bool exact = false;
  Precision precision = Precision::kF32;
  // For kInt8: ranges of values by their names in the graph. Layers whose input has none compute in float32.
  ValueRanges ranges = {};
  std::optional<ValueRange> input_range = std::nullopt;  // the same of the graph's input
  // For a layer without a choice, a rule by its shape chooses.
  KernelChoices choices = {};
};

// Instruction sets that this machine can run, the best first: "amx", "avx512_bf16" (with VNNI), "avx512_vnni",
// "avx512", "avx2_vnni", "avx2", "sse4".
std::vector<std::string> cpu_isas();

// Throws DeviceError for an instruction set that the machine or the build does not have.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});

}  // namespace tessera
