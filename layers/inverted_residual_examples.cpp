#include "layers/example.h"
#include "layers/inverted_residual.h"

namespace tessera {

namespace {

InvertedResidual block(std::int64_t wide, std::int64_t out, Size2 kernel, Size2 stride, bool same) {
  const auto relu6 = ActivationKind::kRelu6;
  InvertedResidual block;
  block.expand = Conv2d{.out_channels = wide, .activation = relu6};
  block.depthwise = {.out_channels = wide, .kernel = kernel, .stride = stride, .groups = wide, .activation = relu6};
  block.depthwise.padding_same = same;
  block.depthwise.padding = {kernel.height / 2, kernel.width / 2};
  block.project = {.out_channels = out};
  return block;
}

}  // namespace

Examples<InvertedResidual> InvertedResidual::examples() {
  InvertedResidual adds = block(48, 16, 3, 1, false);
  adds.project.residual = true;
  InvertedResidual narrow = block(16, 8, 3, 1, false);
  narrow.expand.reset();
  return {.good = {{block(40, 12, 5, 2, true), {{2, 14, 13, 10}}},
                   {adds, {{2, 9, 8, 16}, {2, 9, 8, 16}}},
                   {narrow, {{1, 11, 12, 16}}}},
          .refused = {{{.expand = {}, .depthwise = {.out_channels = 8, .groups = 4}, .project = {.out_channels = 2}},
                       {{1, 4, 4, 4}},
                       "must be depthwise"},
                      {{.expand = {}, .depthwise = {.out_channels = 4, .groups = 4}, .project = {.out_channels = 2}},
                       {{1, 4, 4, 4}, {1, 4, 4, 2}},
                       "1 input(s)"}}};
}

Example<InvertedResidual> InvertedResidual::drawn(Draw& draw) {
  const std::int64_t channels = draw.between(1, 40);
  InvertedResidual drawn =
      block(draw.between(2, 90), draw.between(1, 40), draw.coin() ? 3 : 5, draw.between(1, 2), draw.coin());
  if (channels > 1 && draw.between(0, 3) == 0) {
    drawn.expand.reset();
    drawn.depthwise.out_channels = drawn.depthwise.groups = channels;
  }
  std::vector<Shape> in{draw.pixels(channels)};
  if (draw.coin()) {
    in.push_back(drawn.output_shape(in));
    drawn.project.residual = true;
  }
  return {drawn, in};
}

}  // namespace tessera
