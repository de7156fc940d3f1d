#include "layers/patch_embed.h"

namespace tessera {

namespace {

Shape grid_shape(const PatchEmbed& layer, const Shape& in) {
  return {in[0], in[1] / layer.patch, in[2] / layer.patch, layer.width};
}

}  // namespace

Conv2d PatchEmbed::convolution() const {
  return {.out_channels = width, .kernel = patch, .stride = patch, .bias = bias};
}

Shape PatchEmbed::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 4);
  if (patch < 1 || in[0][1] % patch != 0 || in[0][2] % patch != 0 || in[0][1] == 0 || in[0][2] == 0) {
    shape_error(kName, "height and width must be multiples of the patch " + std::to_string(patch), in);
  }
  const Shape grid = grid_shape(*this, in[0]);
  return {grid[0], grid[1] * grid[2], width};
}

std::vector<WeightSpec> PatchEmbed::weights(Shapes in) const { return convolution().weights(in); }

std::int64_t PatchEmbed::macs(Shapes in, const Shape&) const {
  return convolution().macs(in, grid_shape(*this, in[0]));
}

std::vector<Tensor> PatchEmbed::prepare(std::vector<Tensor> weights) const {
  return convolution().prepare(std::move(weights));
}

std::int64_t PatchEmbed::scratch(Shapes in, int threads) const { return convolution().scratch(in, threads); }

void PatchEmbed::forward(const ForwardArguments& arguments) const {
  const Shape grid = grid_shape(*this, arguments.inputs[0].shape());
  convolution().forward({.inputs = arguments.inputs,
                         .weights = arguments.weights,
                         .output = arguments.output.reshaped(grid),
                         .scratch = arguments.scratch,
                         .threads = arguments.threads});
}

}  // namespace tessera
