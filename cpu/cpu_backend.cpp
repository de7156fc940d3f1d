#include "cpu/cpu_backend.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "cpu/implementations.h"
#include "cpu/low_gemm.h"

namespace tessera {

namespace {

using cpu::KernelTable;

struct Settings {
  const KernelTable& table;
  bool exact;
  Precision precision;

  DType low() const { return precision == Precision::kInt8 ? DType::kU8 : DType::kBf16; }
};

// One way of computing a node, and which of its values may be of any type; the others are float32.
struct Method {
  std::function<std::unique_ptr<Kernel>(const NodeRequest&, std::vector<Tensor>)> make;
  bool any_input = false, any_residual = false, any_output = false;

  bool takes(const NodeRequest& request) const {
    const auto is_f32 = [](const ValueType& type) { return type.dtype == DType::kF32; };
    return (any_output || is_f32(request.out_type)) && (any_input || is_f32(request.in_types[0])) &&
           (any_residual || std::ranges::all_of(request.in_types.subspan(1), is_f32));
  }
};

// Winograd saves multiplications and costs two transforms and four times the weights. It loses where a picture has few
// tiles, because then the weights, not the arithmetic, take the time.
bool winograd_pays(const Shape& in, const Shape& out) {
  constexpr std::int64_t kFewestTiles = 12, kFewestChannels = 32;
  const std::int64_t tiles = (out[1] + 3) / 4 * ((out[2] + 3) / 4);
  return tiles >= kFewestTiles && in[3] >= kFewestChannels && out[3] >= kFewestChannels;
}

bool only_clamps(ActivationKind activation) { return cpu::make_epilogue(activation).after == ActivationKind::kNone; }

// The ways of computing a layer, the one that is expected to be the fastest first. None: its own forward() does it.
class Methods {
 public:
  // `x`: the type of the first input, of which only the scale need be known.
  Methods(const Settings& settings, Shapes in, const Shape& out, const ValueType& x)
      : settings_(settings), in_(in), out_(out), x_(x) {}

  std::vector<Method> operator()(const Conv2d& layer) const {
    const Shape& in = in_[0];
    const bool clamps = only_clamps(layer.activation);
    std::vector<Method> methods;
    if (cpu::can_depthwise(layer, in)) {
      methods.push_back({make(layer, &cpu::make_depthwise), true, false, clamps});
      return methods;
    }
    if (!cpu::can_conv(layer, in)) return {};
    const bool low = multiplies_low(in[3] * layer.kernel.height * layer.kernel.width) && in[3] >= kFewestLowChannels;
    if (low) methods.push_back(low_method(layer, &cpu::make_low_conv));
    if (!settings_.exact && cpu::can_winograd(layer) && winograd_pays(in, out_)) {
      // A quarter of the multiplications in float32 beats all of them in bfloat16 (twice the speed), but not in int8
      // where one instruction does four.
      const bool first = !low || settings_.precision == Precision::kBf16 || !settings_.table.int8.direct;
      Method winograd{make(layer, &cpu::make_winograd), true, true, clamps};
      methods.insert(first ? methods.begin() : methods.end(), std::move(winograd));
    }
    methods.push_back({make(layer, &cpu::make_conv)});
    return methods;
  }
  std::vector<Method> operator()(const PatchEmbed& layer) const {
    const Conv2d conv = layer.convolution();
    if (!cpu::can_conv(conv, in_[0])) return {};
    return {{[&settings = settings_, conv](const NodeRequest& request, std::vector<Tensor> weights) {
      const Shape out = conv.output_shape(request.in);  // tokens lie in memory as the pixels do
      const NodeRequest pixels{request.node, request.in, out, request.in_types, request.out_type, request.threads};
      return cpu::make_conv(settings.table, conv, pixels, std::move(weights));
    }}};
  }
  std::vector<Method> operator()(const Linear& layer) const {
    std::vector<Method> methods;
    if (multiplies_low(in_[0][-1])) methods.push_back(low_method(layer, &cpu::make_low_linear));
    methods.push_back({make(layer, &cpu::make_linear)});
    return methods;
  }
  std::vector<Method> operator()(const Attention& layer) const {
    return {{[&table = settings_.table, layer](const NodeRequest& request, const std::vector<Tensor>&) {
      return cpu::make_attention(table, layer, request);
    }}};
  }
  std::vector<Method> operator()(const LayerNorm& layer) const {
    return {{make(layer, &cpu::make_layer_norm), false, false, true}};
  }
  std::vector<Method> operator()(const Softmax&) const {
    return {{[&table = settings_.table](const NodeRequest&, const std::vector<Tensor>&) {
      return cpu::make_softmax(table);
    }}};
  }
  std::vector<Method> operator()(const Activation& layer) const {
    return {{[&table = settings_.table, layer](const NodeRequest&, const std::vector<Tensor>&) {
      return cpu::make_activation(table, layer);
    }}};
  }
  std::vector<Method> operator()(const Pool2d& layer) const {
    if (!cpu::can_max_pool(layer)) return {};
    return {{[&table = settings_.table, layer](const NodeRequest&, const std::vector<Tensor>&) {
               return cpu::make_max_pool(table, layer);
             },
             true, true, true}};
  }
  std::vector<Method> operator()(const GlobalAveragePool&) const {
    return {{[&table = settings_.table](const NodeRequest&, const std::vector<Tensor>&) {
               return cpu::make_global_average_pool(table);
             },
             true, true, false}};
  }
  // The rest copies or adds: memory is what it waits for.
  template <class Other>
  std::vector<Method> operator()(const Other&) const {
    return {};
  }

 private:
  // The first layer, which reads three channels, stays in float32: it is short, and its input has the most to lose.
  static constexpr std::int64_t kFewestLowChannels = 8;

  bool multiplies_low(std::int64_t k) const {
    if (settings_.precision == Precision::kInt8) return x_.scale > 0 && cpu::fits_int8(k);
    return settings_.precision == Precision::kBf16;
  }
  template <class Layer, class Factory>
  std::function<std::unique_ptr<Kernel>(const NodeRequest&, std::vector<Tensor>)> make(const Layer& layer,
                                                                                       Factory factory) const {
    return [&table = settings_.table, layer, factory](const NodeRequest& request, std::vector<Tensor> weights) {
      return factory(table, layer, request, std::move(weights));
    };
  }
  template <class Layer, class Factory>
  Method low_method(const Layer& layer, Factory factory) const {
    return {[&settings = settings_, layer, factory](const NodeRequest& request, std::vector<Tensor> weights) {
              return factory(settings.table, settings.low(), layer, request, std::move(weights));
            },
            true, true, true};
  }

  const Settings& settings_;
  Shapes in_;
  const Shape& out_;
  const ValueType& x_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const KernelTable& table, const CpuOptions& options)
      : settings_{table, options.exact, options.precision}, ranges_(options.ranges), reference_(make_eigen_backend()) {}

  std::string_view name() const noexcept override { return "cpu"; }

  // A value is kept in few bits when the kernel that writes it and all that read it can do so.
  std::vector<ValueType> choose_types(const Graph& graph) const override {
    std::vector<ValueType> types(graph.value_count());
    if (settings_.precision == Precision::kF32) return types;
    for (const auto& [name, range] : ranges_) {
      const auto found = graph.names().find(name);
      if (found != graph.names().end()) types[index_of(found->second)] = quantisation_of(range);
    }
    std::vector<bool> low(types.size(), false);
    for (const Node& node : graph.nodes()) {  // each value is written before it is read
      const Method method = method_of(graph, node, types);
      low[index_of(node.output)] = method.any_output && node.output != graph.output_id();
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!(i == 0 ? method.any_input : method.any_residual)) low[index_of(node.inputs[i])] = false;
      }
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool known = settings_.precision == Precision::kBf16 || types[i].scale > 0;
      if (low[i] && known) types[i].dtype = settings_.low();
    }
    return types;
  }

  std::unique_ptr<Kernel> prepare(const NodeRequest& request, std::vector<Tensor> weights) const override {
    const Methods methods(settings_, request.in, request.out, request.in_types[0]);
    for (const Method& method : std::visit(methods, request.node.layer)) {
      if (method.takes(request)) return method.make(request, layer_prepare(request.node.layer, std::move(weights)));
    }
    return reference_->prepare(request, std::move(weights));
  }

 private:
  static std::size_t index_of(ValueId id) { return static_cast<std::size_t>(id); }

  // The way a node will go if its values may be of any type.
  Method method_of(const Graph& graph, const Node& node, const std::vector<ValueType>& types) const {
    const std::vector<Shape> in = graph.input_shapes(node);
    const Methods methods(settings_, in, graph.shape(node.output), types[index_of(node.inputs[0])]);
    std::vector<Method> found = std::visit(methods, node.layer);
    return found.empty() ? Method() : std::move(found.front());
  }

  Settings settings_;
  ValueRanges ranges_;
  std::unique_ptr<Backend> reference_;
};

}  // namespace

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const KernelTable& table : cpu::kernel_tables()) names.emplace_back(table.isa);
  return names;
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(cpu::find_table(options.isa), options);
}

}  // namespace tessera
