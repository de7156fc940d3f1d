#include "cuda/windows.h"

#include <algorithm>
#include <string_view>

namespace tessera::cuda {

namespace {

// What the windows of one axis reach beyond the picture, before and behind it together ("same" padding).
std::int64_t reach(std::int64_t out, std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  return std::max<std::int64_t>(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - in);
}

// Half of it stands before the picture, the odd row behind.
void pad_same(Convolution& made, const TesseraRequest& request) {
  for (int axis = 0; axis < 2; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    const std::int64_t total = reach(request.output.size[1 + axis], request.inputs[0].size[1 + axis], made.kernel[i],
                                     made.stride[i], made.dilation[i]);
    made.padding[i] = total / 2;
    made.padding_after[i] = total - total / 2;
  }
}

Convolution patches_of(const TesseraLayer& layer) {
  const LayerFields fields(layer, {"width", "patch", "bias"});
  const std::int64_t patch = fields.integer("patch");
  return {.kernel = {patch, patch}, .stride = {patch, patch}, .bias = fields.flag("bias")};
}

}  // namespace

Convolution convolution_of(const TesseraRequest& request) {
  if (std::string_view(request.layer.name) == "PatchEmbed") return patches_of(request.layer);
  // A folded norm is in the weights.
  const LayerFields fields(request.layer, {"out_channels", "kernel", "stride", "padding_same", "padding", "dilation",
                                           "groups", "bias", "folded_batch_norm", "residual", "activation"});
  Convolution made{.kernel = fields.pair("kernel"),
                   .stride = fields.pair("stride"),
                   .dilation = fields.pair("dilation"),
                   .padding = fields.pair("padding"),
                   .padding_after = fields.pair("padding"),
                   .groups = fields.integer("groups"),
                   .bias = fields.flag("bias"),
                   .residual = fields.flag("residual"),
                   .activation = fields.activation("activation")};
  made.depthwise =
      made.groups > 1 && made.groups == request.inputs[0].size[3] && fields.integer("out_channels") == made.groups;
  if (fields.flag("padding_same")) pad_same(made, request);
  return made;
}

Windows windows_of(const TesseraRequest& request, const Convolution& convolution) {
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  return {.height = number(request.inputs[0].size[1]),
          .width = number(request.inputs[0].size[2]),
          .channels = number(request.inputs[0].size[3]),
          .out_height = number(request.output.size[1]),
          .out_width = number(request.output.size[2]),
          .kernel_height = number(convolution.kernel[0]),
          .kernel_width = number(convolution.kernel[1]),
          .stride_height = number(convolution.stride[0]),
          .stride_width = number(convolution.stride[1]),
          .dilation_height = number(convolution.dilation[0]),
          .dilation_width = number(convolution.dilation[1]),
          .top = number(convolution.padding[0]),
          .left = number(convolution.padding[1]),
          .bottom = number(convolution.padding_after[0]),
          .right = number(convolution.padding_after[1])};
}

}  // namespace tessera::cuda
