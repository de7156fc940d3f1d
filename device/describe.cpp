#include "device/describe.h"

#include <algorithm>

namespace tessera {

namespace {

void set_pair(std::int64_t (&to)[2], const Size2& size) {
  to[0] = size.height;
  to[1] = size.width;
}

// What the windows of one axis reach beyond the picture at its end.
std::int64_t padding_after(std::int64_t out, std::int64_t in, std::int64_t kernel, std::int64_t stride,
                           std::int64_t dilation, std::int64_t before) {
  return std::max<std::int64_t>(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - in - before);
}

// Fills in a layer by its type; a type without an overload does not compile.
class Describe {
 public:
  Describe(const NodeRequest& request, TesseraLayer& layer) : request_(request), layer_(layer) {}

  void operator()(const Conv2d& conv) const {
    const Shape& in = request_.in[0];
    convolution(conv, {in[0], request_.out[1], request_.out[2], request_.out[3]});
  }
  void operator()(const PatchEmbed& embed) const {
    const Conv2d conv = embed.convolution();
    convolution(conv, conv.output_shape(request_.in));
  }
  void operator()(const Linear& linear) const {
    layer_.kind = TESSERA_LINEAR;
    layer_.bias = linear.bias ? 1 : 0;
    layer_.residual = linear.residual ? 1 : 0;
    layer_.activation = static_cast<std::int32_t>(linear.activation);
  }
  void operator()(const Attention& attention) const {
    layer_.kind = TESSERA_ATTENTION;
    layer_.heads = attention.heads;
  }
  void operator()(const LayerNorm& norm) const {
    layer_.kind = TESSERA_LAYER_NORM;
    layer_.epsilon = norm.epsilon;
  }
  void operator()(const BatchNorm&) const { layer_.kind = TESSERA_SCALE_SHIFT; }
  void operator()(const LayerScale&) const { layer_.kind = TESSERA_SCALE_SHIFT; }
  void operator()(const TokenEmbed&) const { layer_.kind = TESSERA_TOKEN_EMBED; }
  void operator()(const TokenPool& pool) const {
    const bool first = pool.kind == TokenPoolKind::kFirst;
    layer_.kind = TESSERA_TOKEN_MEAN;
    layer_.first = first ? 0 : pool.skip;
    layer_.count = first ? 1 : request_.in[0][1] - pool.skip;
  }
  void operator()(const Pool2d& pool) const {
    layer_.kind = TESSERA_POOL2D;
    layer_.maximum = pool.kind == PoolKind::kMax ? 1 : 0;
    layer_.count_include_pad = pool.count_include_pad ? 1 : 0;
    set_pair(layer_.kernel, pool.kernel);
    set_pair(layer_.stride, pool.stride);
    set_pair(layer_.padding, pool.padding);
    set_pair(layer_.padding_after, pool.padding);
  }
  void operator()(const GlobalAveragePool&) const { layer_.kind = TESSERA_GLOBAL_AVERAGE; }
  void operator()(const Activation& activation) const {
    layer_.kind = TESSERA_ACTIVATE;
    layer_.activation = static_cast<std::int32_t>(activation.kind);
  }
  void operator()(const Softmax&) const { layer_.kind = TESSERA_SOFTMAX; }
  void operator()(const Add&) const { layer_.kind = TESSERA_ADD; }
  void operator()(const Multiply&) const { layer_.kind = TESSERA_MULTIPLY; }
  void operator()(const Concat&) const { layer_.kind = TESSERA_CONCAT; }
  void operator()(const Flatten&) const { layer_.kind = request_.in[0].rank() == 4 ? TESSERA_FLATTEN : TESSERA_COPY; }
  void operator()(const Dropout&) const { layer_.kind = TESSERA_COPY; }
  // The CPU's own fusion (Backend::rewrite).
  void operator()(const InvertedResidual& block) const { refuse(block.kName); }

 private:
  [[noreturn]] void refuse(std::string_view layer) const {
    throw UsageError(request_.node.path + ": a " + std::string(layer) +
                     " cannot be computed by a plugin; use --device cpu");
  }
  void convolution(const Conv2d& conv, const Shape& out) const {
    const Shape& in = request_.in[0];
    const Size2 before = conv.leading_padding(in);
    layer_.kind = TESSERA_CONV2D;
    layer_.activation = static_cast<std::int32_t>(conv.activation);
    layer_.bias = conv.bias ? 1 : 0;
    layer_.residual = conv.residual ? 1 : 0;
    layer_.depthwise = conv.depthwise(in) ? 1 : 0;
    layer_.groups = conv.groups;
    set_pair(layer_.kernel, conv.kernel);
    set_pair(layer_.stride, conv.stride);
    set_pair(layer_.dilation, conv.dilation);
    set_pair(layer_.padding, before);
    set_pair(layer_.padding_after, after(conv, in, out, before));
  }

  // "Same" padding is what it takes; the other kind is the same on both sides, whether the last window reaches it or
  // not.
  static Size2 after(const Conv2d& conv, const Shape& in, const Shape& out, const Size2& before) {
    if (!conv.padding_same) return before;
    return {padding_after(out[1], in[1], conv.kernel.height, conv.stride.height, conv.dilation.height, before.height),
            padding_after(out[2], in[2], conv.kernel.width, conv.stride.width, conv.dilation.width, before.width)};
  }

  const NodeRequest& request_;
  TesseraLayer& layer_;
};

}  // namespace

TesseraLayer describe_layer(const NodeRequest& request) {
  TesseraLayer layer{};
  set_pair(layer.kernel, 1);
  set_pair(layer.stride, 1);
  set_pair(layer.dilation, 1);
  layer.groups = 1;
  std::visit(Describe(request, layer), request.node.layer);
  return layer;
}

TesseraTensor describe_tensor(const Shape& shape, DType dtype) {
  TesseraTensor tensor{};
  if (dtype == DType::kU8) throw InternalError("plugins take no uint8 values");
  tensor.dtype = dtype == DType::kF32 ? TESSERA_F32 : dtype == DType::kF16 ? TESSERA_F16 : TESSERA_BF16;
  tensor.rank = shape.rank();
  std::ranges::copy(shape.dimensions(), tensor.size);
  return tensor;
}

}  // namespace tessera
