#pragma once
// The ways of computing a layer on the CPU, and which of its values each can read and write in any type. Private to
// cpu/.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/kernels.h"
#include "engine/backend.h"

namespace tessera::cpu {

struct Settings {
  const KernelTable& table;
  bool exact;
  Precision precision;

  DType low() const { return precision == Precision::kInt8 ? DType::kU8 : DType::kBf16; }
  const LowPrecision& low_tiles() const { return precision == Precision::kInt8 ? table.int8 : table.bf16; }
};

// Throws DeviceError as make_cpu_backend() does.
Settings settings_for(const CpuOptions& options);

// One way of computing a node. Values that it does not take in any type must be float32.
struct Method {
  std::string_view name;
  std::function<std::unique_ptr<Kernel>(const NodeRequest&, std::vector<Tensor>)> make;
  bool any_input = false, any_residual = false, any_output = false;

  bool takes(const NodeRequest& request) const;
};

// The one that is expected to be the fastest first. None: the layer's own forward() does it. `x`: the type of the first
// input, of which only the scale need be known. Methods refer to `settings`.
std::vector<Method> methods_of(const Settings& settings, const Layer& layer, Shapes in, const Shape& out,
                               const ValueType& x);
// Those of them that take the values as they are.
std::vector<Method> methods_for(const Settings& settings, const NodeRequest& request);

// What a choice between methods depends on, in words: the layer, its shapes and types, the threads.
std::string choice_key(const Settings& settings, const NodeRequest& request);

}  // namespace tessera::cpu
