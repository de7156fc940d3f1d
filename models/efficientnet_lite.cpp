#include "models/efficientnet_lite.h"

#include <array>

#include "models/modules.h"

namespace tessera {

namespace {

// Table 1 of the paper: a stage of inverted residual blocks.
struct Stage {
  std::int64_t expand, channels, depth, stride, kernel;
};
constexpr std::array<Stage, 7> kLite0{{
    {1, 16, 1, 1, 3},
    {6, 24, 2, 2, 3},
    {6, 40, 2, 2, 5},
    {6, 80, 3, 2, 3},
    {6, 112, 3, 1, 5},
    {6, 192, 4, 2, 5},
    {6, 320, 1, 1, 3},
}};

struct EfficientNetLite {
  const EfficientNetLiteParameters& parameters;

  Value conv_bn(const Scope& s, Value x, const char* conv, const char* norm, Conv2d layer) const {
    layer.bias = false;
    layer.padding_same = parameters.same_padding;
    if (!parameters.same_padding) layer.padding = (layer.kernel.height - 1) / 2;
    return batch_norm(s / norm, conv2d(s / conv, x, layer), static_cast<float>(parameters.norm_eps));
  }
  Value relu6(const Scope& s, Value x) const { return activation(s, x, ActivationKind::kRelu6); }

  // A depthwise convolution and a linear 1x1 projection; the first stage, which does not expand.
  Value separable(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const std::int64_t channels = x.shape()[3];
    Value y = conv_bn(s, x, "conv_dw", "bn1",
                      {.out_channels = channels, .kernel = stage.kernel, .stride = stride, .groups = channels});
    y = relu6(s / "bn1" / "act", y);
    return conv_bn(s, y, "conv_pw", "bn2", {.out_channels = stage.channels});
  }

  // MobileNetV2's block (arXiv:1801.04381, figure 3): expand, depthwise, project.
  Value inverted_residual(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const std::int64_t expanded = x.shape()[3] * stage.expand;
    Value y = conv_bn(s, x, "conv_pw", "bn1", {.out_channels = expanded});
    y = relu6(s / "bn1" / "act", y);
    y = conv_bn(s, y, "conv_dw", "bn2",
                {.out_channels = expanded, .kernel = stage.kernel, .stride = stride, .groups = expanded});
    y = relu6(s / "bn2" / "act", y);
    return conv_bn(s, y, "conv_pwl", "bn3", {.out_channels = stage.channels});
  }

  Value block(const Scope& s, Value x, const Stage& stage, std::int64_t stride) const {
    const Value y = stage.expand == 1 ? separable(s, x, stage, stride) : inverted_residual(s, x, stage, stride);
    const bool skip = stride == 1 && x.shape()[3] == stage.channels;
    return output_of(s, skip ? add(s / "add", y, x) : y);
  }
};

}  // namespace

Graph build_efficientnet_lite(const EfficientNetLiteParameters& parameters, std::int64_t max_batch) {
  const EfficientNetLite net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size, parameters.image_size, 3});
  x = net.relu6(s / "bn1" / "act",
                net.conv_bn(s, x, "conv_stem", "bn1", {.out_channels = 32, .kernel = 3, .stride = 2}));
  for (std::size_t i = 0; i < kLite0.size(); ++i) {
    const Scope stage = s / "blocks" / static_cast<int>(i);
    for (int j = 0; j < kLite0[i].depth; ++j) x = net.block(stage / j, x, kLite0[i], j == 0 ? kLite0[i].stride : 1);
    output_of(stage, x);
  }
  x = net.relu6(s / "bn2" / "act", net.conv_bn(s, x, "conv_head", "bn2", {.out_channels = 1280}));
  x = global_average_pool(s / "global_pool", x);
  if (parameters.classes > 0) x = linear(s / "classifier", x, parameters.classes);
  graph.set_output(x);
  return graph;
}

}  // namespace tessera
