#include "models/resnet.h"

#include "models/modules.h"

namespace tessera {

namespace {

struct ResNet {
  const ResNetParameters& parameters;

  Value conv_bn(const Scope& s, Value x, const char* conv, const char* norm, Conv2d layer) const {
    layer.bias = false;
    return batch_norm(s / norm, conv2d(s / conv, x, layer), static_cast<float>(parameters.norm_eps));
  }

  // The identity, or a 1x1 convolution where the shape changes (option B of section 3.3).
  Value shortcut(const Scope& s, Value x, std::int64_t channels, std::int64_t stride) const {
    if (stride == 1 && x.shape()[3] == channels) return x;
    const Scope d = s / "downsample";
    return output_of(d, conv_bn(d, x, "0", "1", {.out_channels = channels, .stride = stride}));
  }

  // Figure 5 left.  [N, H, W, C] -> [N, H / stride, W / stride, width]
  Value basic_block(const Scope& s, Value x, std::int64_t width, std::int64_t stride) const {
    Value y = conv_bn(s, x, "conv1", "bn1", {.out_channels = width, .kernel = 3, .stride = stride, .padding = 1});
    y = relu(s / "act1", y);
    y = conv_bn(s, y, "conv2", "bn2", {.out_channels = width, .kernel = 3, .padding = 1});
    y = add(s / "add", y, shortcut(s, x, width, stride));
    return output_of(s, relu(s / "act2", y));
  }

  // Figure 5 right; the stride is on the 3x3 convolution ("v1.5").  [N, H, W, C] -> [N, H / stride, W / stride, 4
  // width]
  Value bottleneck(const Scope& s, Value x, std::int64_t width, std::int64_t stride) const {
    Value y = conv_bn(s, x, "conv1", "bn1", {.out_channels = width});
    y = relu(s / "act1", y);
    y = conv_bn(s, y, "conv2", "bn2", {.out_channels = width, .kernel = 3, .stride = stride, .padding = 1});
    y = relu(s / "act2", y);
    y = conv_bn(s, y, "conv3", "bn3", {.out_channels = 4 * width});
    y = add(s / "add", y, shortcut(s, x, 4 * width, stride));
    return output_of(s, relu(s / "act3", y));
  }

  Value stage(const Scope& s, Value x, std::int64_t width, std::int64_t depth, std::int64_t stride) const {
    for (int i = 0; i < depth; ++i) {
      const std::int64_t block_stride = i == 0 ? stride : 1;
      x = parameters.bottleneck ? bottleneck(s / i, x, width, block_stride)
                                : basic_block(s / i, x, width, block_stride);
    }
    return output_of(s, x);
  }
};

}  // namespace

Graph build_resnet(const ResNetParameters& parameters, std::int64_t max_batch) {
  const ResNet net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size, parameters.image_size, 3});
  x = net.conv_bn(s, x, "conv1", "bn1", {.out_channels = parameters.width, .kernel = 7, .stride = 2, .padding = 3});
  x = relu(s / "act1", x);
  x = max_pool(s / "maxpool", x, 3, 2, 1);
  x = net.stage(s / "layer1", x, parameters.width, parameters.depths[0], 1);
  x = net.stage(s / "layer2", x, 2 * parameters.width, parameters.depths[1], 2);
  x = net.stage(s / "layer3", x, 4 * parameters.width, parameters.depths[2], 2);
  x = net.stage(s / "layer4", x, 8 * parameters.width, parameters.depths[3], 2);
  x = global_average_pool(s / "global_pool", x);
  if (parameters.classes > 0) x = linear(s / "fc", x, parameters.classes);
  graph.set_output(x);
  return graph;
}

}  // namespace tessera
