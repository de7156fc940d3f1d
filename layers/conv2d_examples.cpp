#include "layers/conv2d.h"
#include "layers/example.h"

namespace tessera {

Examples<Conv2d> Conv2d::examples() {
  const Shape x{2, 14, 14, 32}, odd{2, 13, 11, 20}, picture{2, 56, 56, 3};
  const Conv2d same_size{.out_channels = 64, .kernel = 3, .padding = 1};
  Examples<Conv2d> examples{
      .good = {{{.out_channels = 64}, {x}},
               {same_size, {x}},
               {{.out_channels = 24, .kernel = 3, .stride = 2, .padding = 1, .bias = false}, {odd}},
               {{.out_channels = 24, .kernel = 3, .padding = 2, .dilation = 2, .groups = 4}, {odd}},
               {{.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3}, {picture}},
               {{.out_channels = 32, .kernel = 3, .stride = 2, .padding_same = true}, {picture}},
               {{.out_channels = 32, .kernel = 3, .padding = 1, .groups = 32}, {x}},
               {{.out_channels = 20, .kernel = 5, .stride = 2, .padding_same = true, .groups = 20}, {odd}},
               {{.out_channels = 32, .kernel = 7, .padding = 3, .groups = 32}, {x}},
               {{.out_channels = 64, .residual = true, .activation = ActivationKind::kRelu}, {x, {2, 14, 14, 64}}}},
      .refused = {{{.out_channels = 4, .groups = 3}, {{1, 4, 4, 4}}, "3 groups"},
                  {{.out_channels = 5, .groups = 2}, {{1, 4, 4, 4}}, "2 groups"},
                  {{.out_channels = 0}, {{1, 4, 4, 4}}, "channels"},
                  {{.out_channels = 4, .kernel = 7}, {{1, 4, 4, 4}}, "larger than the padded picture"},
                  {{.out_channels = 4, .kernel = 3, .dilation = 2}, {{1, 4, 4, 4}}, "larger than the padded picture"},
                  {{.out_channels = 4, .stride = 0}, {{1, 4, 4, 4}}, "must be positive"},
                  {{.out_channels = 4, .padding = -1}, {{1, 4, 4, 4}}, "not negative"},
                  {{.out_channels = 4}, {{1, 4, 4}}, "rank 4"},
                  {{.out_channels = 4}, {{1, 4, 4, 4}, {1, 4, 4, 4}}, "1 input(s)"},
                  {{.out_channels = 4, .residual = true}, {{1, 4, 4, 4}, {1, 4, 4, 5}}, "residual"}}};
  for (const ActivationKind kind : all_values<ActivationKind>()) {
    Conv2d plain = same_size, depthwise = same_size;
    depthwise.out_channels = depthwise.groups = x[3];
    plain.activation = depthwise.activation = kind;
    examples.good.push_back({depthwise, {x}});
    examples.good.push_back({plain, {x}});
    plain.residual = true;
    examples.good.push_back({plain, {x, {x[0], x[1], x[2], plain.out_channels}}});
  }
  return examples;
}

namespace {

// What kernels are made for: 3x3 of many channels, one filter a channel, 1x1; or none of these.
void make_special(Conv2d& conv, std::int64_t& channels, Draw& draw) {
  switch (draw.between(0, 3)) {
    case 0:
      conv.kernel = 3;
      conv.stride = conv.dilation = 1;
      channels += 31;
      conv.out_channels += 31;
      break;
    case 1:
      conv.kernel = {draw.between(1, 7), draw.between(1, 7)};
      conv.groups = conv.out_channels = channels;
      break;
    case 2:
      conv.kernel = 1;
      break;
    default:
      break;
  }
}

}  // namespace

Example<Conv2d> Conv2d::drawn(Draw& draw) {
  Conv2d conv{.out_channels = draw.between(1, 70)};
  std::int64_t channels = draw.between(1, 40);
  conv.kernel = {draw.between(1, 5), draw.between(1, 5)};
  conv.stride = {draw.between(1, 3), draw.between(1, 3)};
  conv.dilation = {draw.between(1, 2), draw.between(1, 2)};
  conv.padding_same = draw.coin();
  conv.padding = {draw.between(0, 3), draw.between(0, 3)};
  make_special(conv, channels, draw);
  conv.bias = draw.coin();
  conv.activation = draw.one_of<ActivationKind>();
  // The largest kernel, spread by the largest dilation, still fits.
  std::vector<Shape> in{{draw.between(1, 3), draw.between(13, 30), draw.between(13, 30), channels}};
  if (draw.coin()) {
    in.push_back(conv.output_shape(in));
    conv.residual = true;
  }
  return {conv, in};
}

}  // namespace tessera
