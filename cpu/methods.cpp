#include "cpu/methods.h"

#include <algorithm>
#include <utility>

#include "cpu/amx_gemm.h"
#include "cpu/implementations.h"
#include "cpu/low_gemm.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

// Winograd saves multiplications and costs two transforms and four times the weights. It loses where a picture has few
// tiles, because then the weights, not the arithmetic, take the time.
bool winograd_pays(const Shape& in, const Shape& out) {
  constexpr std::int64_t kFewestTiles = 12, kFewestChannels = 32;
  const std::int64_t tiles = (out[1] + 3) / 4 * ((out[2] + 3) / 4);
  return tiles >= kFewestTiles && in[3] >= kFewestChannels && out[3] >= kFewestChannels;
}

bool only_clamps(ActivationKind activation) { return make_epilogue(activation).after == ActivationKind::kNone; }

// Strassen's algorithm saves an eighth of the multiplications and costs sums of parts of both operands, and memory
// traffic for parts of the result: each takes less of the time the larger the other two sides of the product are.
bool strassen_pays(std::int64_t rows, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kFewestRows = 100, kFewestColumns = 256, kFewestDepth = 384;
  return rows >= kFewestRows && n >= kFewestColumns && k >= kFewestDepth;
}

// A linear layer over the rows of pictures, as a convolution of 1x1.
Conv2d pointwise(const Linear& layer) {
  Conv2d conv{.out_channels = layer.out_features, .kernel = 1, .bias = layer.bias};
  conv.activation = layer.activation;
  conv.residual = layer.residual;
  return conv;
}
Shape as_map(const Shape& rows) { return {rows[0], rows[1], 1, rows[2]}; }

// The ways of computing a layer, the one that is expected to be the fastest first. None: its own forward() does it.
class Methods {
 public:
  // `x`: the type of the first input, of which only the scale need be known.
  Methods(const Settings& settings, Shapes in, const Shape& out, const ValueType& x)
      : settings_(settings), in_(in), out_(out), x_(x) {}

  std::vector<Method> operator()(const Conv2d& layer) const {
    const Shape& in = in_[0];
    const bool clamps = only_clamps(layer.activation);
    if (can_depthwise(layer, in)) {
      return {{"depthwise", make(layer, &make_depthwise), true, false, clamps}};
    }
    if (!can_conv(layer, in)) return {};
    const std::int64_t taps = layer.kernel.height * layer.kernel.width;
    const bool few_channels = in[3] < kFewestLowChannels;
    const bool low = multiplies_low(in[3] * taps) && !few_channels && taps <= kMostTaps;
    std::vector<Method> methods;
    if (low) methods.push_back(low_method(layer, &make_low_conv));
    methods.push_back({"direct", make(layer, &make_conv)});
    if (few_channels && PaddedLines::suit(layer, in[3]) && multiplies_low(kFewestLowChannels * taps)) {
      methods.insert(settings_.low_tiles().direct ? methods.begin() : methods.end(), low_method(layer, &make_low_conv));
    }
    if (!settings_.exact && can_strassen(settings_.table, layer, in)) {
      const bool first = strassen_pays(out_[1] * out_[2], layer.out_channels, in[3]);
      methods.insert(methods.end() - (first ? 1 : 0), {"strassen", make(layer, &make_strassen)});
    }
    if (!settings_.exact && can_winograd(layer)) {
      // A quarter of the multiplications in float32 beats all of them at twice the speed, but not at four times.
      const bool beats_low = !low || settings_.low_tiles().speed < 4;
      const bool first = beats_low && winograd_pays(in, out_);
      methods.insert(first ? methods.begin() : methods.end(),
                     {"winograd", make(layer, &make_winograd), true, true, clamps});
    }
    const std::int64_t k = in[3] * taps;
    const bool by_winograd = methods.front().name == "winograd";
    if (low) {
      add_amx(methods, layer, settings_.low(), amx_pays_in_few_bits(layer.out_channels, k), &make_amx_conv);
    } else if (settings_.precision != Precision::kF32 && few_channels && k >= kFewestLowChannels) {
      add_amx(methods, layer, DType::kBf16, true, &make_amx_conv);
    } else {
      const bool pays = amx_pays(out_[1] * out_[2], layer.out_channels, k);
      add_amx(methods, layer, DType::kF32, pays && !by_winograd, &make_amx_conv);
    }
    return methods;
  }
  std::vector<Method> operator()(const InvertedResidual& layer) const {
    if (!can_fuse(settings_.table, layer, in_[0])) return {};
    return {{"rows_fused", make(layer, &make_inverted_residual)}};
  }
  std::vector<Method> operator()(const PatchEmbed& layer) const {
    const Conv2d conv = layer.convolution();
    if (!can_conv(conv, in_[0])) return {};
    std::vector<Method> methods{{"direct", as_convolution(conv, &make_conv)}};
    if (!has_amx(DType::kF32)) return methods;
    const bool first = amx_pays(out_[1], conv.out_channels, in_[0][3] * conv.kernel.height * conv.kernel.width);
    const auto by_amx = [](const KernelTable& table, const Conv2d& patches, const NodeRequest& request,
                           const Weights& weights) {
      return make_amx_conv(table, DType::kF32, patches, request, weights);
    };
    methods.insert(first ? methods.begin() : methods.end(), {"amx", as_convolution(conv, by_amx)});
    return methods;
  }
  std::vector<Method> operator()(const Linear& layer) const {
    const bool low = multiplies_low(in_[0][-1]);
    std::vector<Method> methods;
    if (low) methods.push_back(low_method(layer, &make_low_linear));
    methods.push_back({"direct", make(layer, &make_linear)});
    const bool tokens = in_[0].rank() == 3;
    const Conv2d conv = pointwise(layer);
    if (!settings_.exact && tokens && can_strassen(settings_.table, conv, as_map(in_[0]))) {
      const bool first = strassen_pays(in_[0][1], layer.out_features, in_[0][2]);
      methods.insert(methods.end() - (first ? 1 : 0), {"strassen", as_convolution(conv, &make_strassen)});
    }
    const std::int64_t k = in_[0][-1], n = layer.out_features;
    add_amx(methods, layer, low ? settings_.low() : DType::kF32,
            low ? amx_pays_in_few_bits(n, k) : amx_pays(tokens ? in_[0][1] : 1, n, k), &make_amx_linear);
    return methods;
  }
  std::vector<Method> operator()(const Attention& layer) const { return {{"attention", make(layer, &make_attention)}}; }
  std::vector<Method> operator()(const LayerNorm& layer) const {
    return {{"rows", make(layer, &make_layer_norm), false, false, true}};
  }
  std::vector<Method> operator()(const Softmax&) const {
    return {{"rows", [&table = settings_.table](const NodeRequest&, const std::vector<Tensor>&) {
               return make_softmax(table);
             }}};
  }
  std::vector<Method> operator()(const Activation& layer) const {
    return {{"rows", [&table = settings_.table, layer](const NodeRequest&, const std::vector<Tensor>&) {
               return make_activation(table, layer);
             }}};
  }
  std::vector<Method> operator()(const Pool2d& layer) const {
    if (!can_max_pool(layer)) return {};
    return {{"rows",
             [&table = settings_.table, layer](const NodeRequest& request, const std::vector<Tensor>&) {
               return make_max_pool(table, layer, request);
             },
             true, true, true}};
  }
  std::vector<Method> operator()(const GlobalAveragePool&) const {
    return {{"rows",
             [&table = settings_.table](const NodeRequest&, const std::vector<Tensor>&) {
               return make_global_average_pool(table);
             },
             true, true, false}};
  }
  // These copy or add: memory is what they wait for, and the readable layer is as fast. (A batch norm or a layer scale
  // that is a node of its own is one that a tap kept from being folded.)
  template <OneOf<Add, BatchNorm, Concat, Dropout, Flatten, LayerScale, Multiply, TokenEmbed, TokenPool> Other>
  std::vector<Method> operator()(const Other&) const {
    return {};
  }

 private:
  // Fewer are those of a picture. By AMX they are multiplied in bfloat16; where there is no instruction for few bits,
  // in float32.
  static constexpr std::int64_t kFewestLowChannels = 8;

  bool multiplies_low(std::int64_t k) const {
    if (settings_.precision == Precision::kInt8) return x_.scale > 0 && fits_int8(k);
    return settings_.precision == Precision::kBf16;
  }
  template <class Layer, class Factory>
  std::function<std::unique_ptr<Kernel>(const NodeRequest&, std::vector<Tensor>)> make(const Layer& layer,
                                                                                       Factory factory) const {
    return [&table = settings_.table, layer, factory](const NodeRequest& request, std::vector<Tensor> weights) {
      return factory(table, layer, request, std::move(weights));
    };
  }
  // Another layer as a convolution: tokens lie in memory as the pixels of a map do.
  template <class Factory>
  std::function<std::unique_ptr<Kernel>(const NodeRequest&, std::vector<Tensor>)> as_convolution(
      const Conv2d& conv, Factory factory) const {
    return [&table = settings_.table, conv, factory](const NodeRequest& request, std::vector<Tensor> weights) {
      std::vector<Shape> in(request.in.begin(), request.in.end());
      if (in[0].rank() == 3) in[0] = as_map(in[0]);
      Conv2d alone = conv;
      alone.residual = false;
      const Shape out = alone.output_shape(std::span(in).first(1));
      const NodeRequest pixels{request.node, in, out, request.in_types, request.out_type, request.threads};
      return factory(table, conv, pixels, std::move(weights));
    };
  }
  // The same of a factory that is told what to multiply.
  template <class Layer, class Factory>
  auto make_of(DType operand, const Layer& layer, Factory factory) const {
    return
        [&table = settings_.table, operand, layer, factory](const NodeRequest& request, std::vector<Tensor> weights) {
          return factory(table, operand, layer, request, std::move(weights));
        };
  }
  template <class Layer, class Factory>
  Method low_method(const Layer& layer, Factory factory) const {
    return {"low", make_of(settings_.low(), layer, factory), true, true, true};
  }
  bool has_amx(DType operand) const {
    return settings_.table.amx != nullptr && (operand != DType::kF32 || !settings_.exact);
  }
  template <class Layer, class Factory>
  void add_amx(std::vector<Method>& methods, const Layer& layer, DType operand, bool first, Factory factory) const {
    if (!has_amx(operand)) return;
    methods.insert(first ? methods.begin() : methods.end(),
                   {"amx", make_of(operand, layer, factory), true, true, true});
  }

  const Settings& settings_;
  Shapes in_;
  const Shape& out_;
  const ValueType& x_;
};

}  // namespace

Settings settings_for(const CpuOptions& options) { return {find_table(options.isa), options.exact, options.precision}; }

bool Method::takes(const NodeRequest& request) const {
  const auto is_f32 = [](const ValueType& type) { return type.dtype == DType::kF32; };
  return (any_output || is_f32(request.out_type)) && (any_input || is_f32(request.in_types[0])) &&
         (any_residual || std::ranges::all_of(request.in_types.subspan(1), is_f32));
}

std::vector<Method> methods_of(const Settings& settings, const Layer& layer, Shapes in, const Shape& out,
                               const ValueType& x) {
  return std::visit(Methods(settings, in, out, x), layer);
}

std::vector<Method> methods_for(const Settings& settings, const NodeRequest& request) {
  std::vector<Method> methods = methods_of(settings, request.node.layer, request.in, request.out, request.in_types[0]);
  std::erase_if(methods, [&](const Method& method) { return !method.takes(request); });
  return methods;
}

std::string choice_key(const Settings& settings, const NodeRequest& request) {
  std::string key(layer_name(request.node.layer));
  key += " " + layer_attributes(request.node.layer) + ";";
  for (std::size_t i = 0; i < request.in.size(); ++i) {
    key += " " + to_string(request.in[i]) + " " + std::string(to_string(request.in_types[i].dtype)) + ",";
  }
  key += " to " + std::string(to_string(request.out_type.dtype)) + "; " + std::string(settings.table.isa);
  if (settings.precision != Precision::kF32) key += ", multiplies " + std::string(to_string(settings.low()));
  return key + (settings.exact ? ", exact" : "") + "; threads " + std::to_string(request.threads);
}

}  // namespace tessera::cpu
