#include "layers/patch_embed.h"

#include "layers/conv2d.h"

namespace tessera {

namespace {

// Tokens [N, T, D] and pixels [N, H', W', D] lie alike in memory, so the convolution is the whole layer.
Conv2d as_convolution(const PatchEmbed& layer) {
  return {.out_channels = layer.width, .kernel = layer.patch, .stride = layer.patch, .bias = layer.bias};
}

Shape grid_shape(const PatchEmbed& layer, const Shape& in) {
  return {in[0], in[1] / layer.patch, in[2] / layer.patch, layer.width};
}

}  // namespace

Shape PatchEmbed::output_shape(Shapes in) const {
  expect_inputs(kName, in, 1, 4);
  if (patch < 1 || in[0][1] % patch != 0 || in[0][2] % patch != 0 || in[0][1] == 0 || in[0][2] == 0) {
    shape_error(kName, "height and width must be multiples of the patch " + std::to_string(patch), in);
  }
  const Shape grid = grid_shape(*this, in[0]);
  return {grid[0], grid[1] * grid[2], width};
}

std::vector<WeightSpec> PatchEmbed::weights(Shapes in) const { return as_convolution(*this).weights(in); }

std::int64_t PatchEmbed::macs(Shapes in, const Shape&) const {
  return as_convolution(*this).macs(in, grid_shape(*this, in[0]));
}

std::string PatchEmbed::attributes() const { return std::to_string(width) + ", patch " + std::to_string(patch); }

std::vector<Tensor> PatchEmbed::prepare(std::vector<Tensor> weights) const {
  return as_convolution(*this).prepare(std::move(weights));
}

std::int64_t PatchEmbed::scratch(Shapes in, int threads) const { return as_convolution(*this).scratch(in, threads); }

void PatchEmbed::forward(const ForwardArguments& arguments) const {
  const Shape grid = grid_shape(*this, arguments.inputs[0].shape());
  as_convolution(*this).forward({.inputs = arguments.inputs,
                                 .weights = arguments.weights,
                                 .output = arguments.output.reshaped(grid),
                                 .scratch = arguments.scratch,
                                 .threads = arguments.threads});
}

}  // namespace tessera
