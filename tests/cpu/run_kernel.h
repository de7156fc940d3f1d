#pragma once
// Runs one layer on a backend as tests/layers/guarded_run.h does with its forward().

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/kernels.h"
#include "cpu/methods.h"
#include "engine/backend.h"
#include "tests/layers/guarded_run.h"

namespace tessera {

struct KernelRun {
  std::vector<float> output;  // what its bytes stand for
  std::string implementation;
};

// How a kernel's values are kept; none given: all float32.
struct KernelTypes {
  std::vector<ValueType> in;
  ValueType out;
};

struct KernelSetting {
  int threads = 1;
  std::int64_t offset = 0;     // floats by which memory is shifted
  std::int64_t max_batch = 0;  // what the kernel is prepared for; 0: the inputs' own
  KernelTypes types = {};
  std::string_view way =
      {};  // by which it is computed (cpu/methods.h), where there is that one; else the rule's choice
  const CpuOptions* options = nullptr;  // of the backend, for `way`
};

// A tensor in another type, in memory with guard zones.
class GuardedValue {
 public:
  GuardedValue(const Tensor& tensor, const ValueType& type, std::int64_t offset)
      : type_(type), shape_(tensor.shape()), buffer_(floats(), offset) {
    std::byte* at = bytes();
    for (const float value : tensor.values()) at = append_value(value, type, at);
  }
  GuardedValue(const Shape& shape, const ValueType& type, std::int64_t offset)
      : type_(type), shape_(shape), buffer_(floats(), offset) {}

  ValueView view() { return {bytes(), type_, shape_}; }
  bool untouched_outside() { return buffer_.untouched_outside(); }

 private:
  std::byte* bytes() { return reinterpret_cast<std::byte*>(buffer_.middle().data()); }
  std::int64_t floats() const { return (shape_.count() * bytes_of(type_.dtype) + 3) / 4; }
  static std::byte* append_value(float value, const ValueType& type, std::byte* at) {
    const auto put = [&](auto stored) {
      std::memcpy(at, &stored, sizeof(stored));
      return at + sizeof(stored);
    };
    switch (type.dtype) {
      case DType::kBf16: {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        return put(static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16));
      }
      case DType::kU8: {
        const float steps = std::nearbyint(value / type.scale) + static_cast<float>(type.zero);
        return put(static_cast<std::uint8_t>(std::clamp(steps, 0.0F, 255.0F)));
      }
      default:
        return put(value);
    }
  }

  ValueType type_;
  Shape shape_;
  GuardedBuffer buffer_;
};

inline std::unique_ptr<Kernel> prepare_kernel(const Backend& backend, const NodeRequest& request,
                                              const std::vector<Tensor>& weights, const KernelSetting& setting) {
  if (!setting.way.empty()) {
    const cpu::Settings settings = cpu::settings_for(*setting.options);
    for (const cpu::Method& method : cpu::methods_for(settings, request)) {
      if (method.name == setting.way) return method.make(request, layer_prepare(request.node.layer, clones(weights)));
    }
  }
  return backend.prepare(request, clones(weights));
}

inline KernelRun run_kernel(const Backend& backend, const Layer& layer, const std::vector<Tensor>& inputs,
                            const std::vector<Tensor>& weights, const KernelSetting& setting = {}) {
  const std::vector<Shape> in = shapes_of(inputs);
  const Shape out = layer_output_shape(layer, in);
  std::vector<Shape> largest_in = in;
  Shape largest_out = out;
  if (setting.max_batch > 0) {
    for (Shape& shape : largest_in) shape[0] = setting.max_batch;
    largest_out[0] = setting.max_batch;
  }
  std::vector<ValueType> in_types = setting.types.in;
  in_types.resize(inputs.size());
  Node node;
  node.path = "layer";
  node.layer = layer;
  const NodeRequest request{node, largest_in, largest_out, in_types, setting.types.out, setting.threads};
  const std::unique_ptr<Kernel> kernel = prepare_kernel(backend, request, weights, setting);
  std::vector<GuardedValue> guarded;
  for (std::size_t i = 0; i < inputs.size(); ++i) guarded.emplace_back(inputs[i], in_types[i], setting.offset);
  std::vector<ConstValueView> views;
  for (GuardedValue& value : guarded) views.emplace_back(value.view());
  GuardedValue output(out, setting.types.out, setting.offset);
  GuardedBuffer scratch(kernel->scratch());
  ThreadPool pool(setting.threads);
  kernel->run({views, output.view(), scratch.middle(), pool});
  EXPECT_TRUE(output.untouched_outside()) << kernel->implementation() << " wrote outside its output";
  EXPECT_TRUE(scratch.untouched_outside()) << kernel->implementation() << " wrote outside its scratch memory";
  const Tensor values = to_f32(output.view());
  return {{values.values().begin(), values.values().end()}, std::string(kernel->implementation())};
}

// Each tensor `times` over along its first dimension.
inline std::vector<Tensor> repeated(const std::vector<Tensor>& tensors, std::int64_t times) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    Shape shape = tensor.shape();
    shape[0] *= times;
    Tensor copy(shape);
    for (std::int64_t i = 0; i < times; ++i) {
      std::ranges::copy(tensor.values(), copy.data() + i * tensor.shape().count());
    }
    result.push_back(std::move(copy));
  }
  return result;
}

// By how much an algorithm may be further from the exact result than sums of products are. Winograd's transforms add up
// to nine values of each sign before they multiply and after; in Strassen's sums up to seven products of two terms each
// meet in a value; AMX adds six products of parts to a sum, one after the other.
inline double widening(const std::string& implementation) {
  if (implementation.starts_with("winograd")) return 8;
  if (implementation.starts_with("strassen")) return 4;
  return implementation.find("_f32_amx") == std::string::npos ? 1 : 2;
}

// The instruction sets of this machine, and AMX on any.
inline std::vector<std::string> isas_under_test() {
  std::vector<std::string> isas = cpu_isas();
  isas.emplace_back(cpu::kEmulatedAmx);
  return isas;
}

// With AMX it is the way of all products, wherever the rule would not choose it.
inline std::string_view way_under_test(const CpuOptions& options) { return options.isa.ends_with("amx") ? "amx" : ""; }

// How many layers are drawn: of AMX by plain loops a tenth, as they take their time.
inline int draws_under_test(const CpuOptions& options, int count) {
  return options.isa == cpu::kEmulatedAmx ? (count + 9) / 10 : count;
}

// Every backend under test: each instruction set, with what costs digits and without. Sets that differ in their low
// precision only are here once.
inline std::vector<CpuOptions> all_cpu_options() {
  std::vector<CpuOptions> all;
  for (const std::string& isa : isas_under_test()) {
    if (isa.ends_with("_vnni") || isa.ends_with("_bf16")) continue;
    all.push_back({isa, false});
    if (!isa.ends_with("amx")) all.push_back({isa, true});  // the same without AMX
  }
  return all;
}
inline std::string options_name(const testing::TestParamInfo<CpuOptions>& info) {
  return info.param.isa + (info.param.exact ? "_exact" : "");
}

}  // namespace tessera
