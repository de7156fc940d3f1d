#pragma once
// MobileNetV2's inverted residual (Sandler et al. 2018, arXiv:1801.04381, figure 3): three convolutions as one layer,
//
//   y = project(depthwise(expand(x))) + residual
//
// x [N, H, W, C] -> expand 1x1 -> [N, H, W, E] -> depthwise -> [N, OH, OW, E] -> project 1x1 -> y [N, OH, OW, O]
//
// No model emits it. A backend that computes the three together, so that the wide maps between them never leave its
// caches, makes it of a model's convolutions (Backend::rewrite).

#include <array>
#include <optional>

#include "layers/conv2d.h"

namespace tessera {

struct InvertedResidual {
  static constexpr std::string_view kName = "InvertedResidual";
  std::optional<Conv2d> expand;  // the first stage of a network does without
  Conv2d depthwise;
  Conv2d project;  // `residual` is this one's
  // How many of the layer's tensors, which follow each other, are each convolution's (with its folded norm's).
  std::array<std::int64_t, 3> tensors{2, 2, 2};

  static void fields(auto& self, auto&& visit) {
    visit(unsaid("expand"), self.expand);
    visit(unsaid("depthwise"), self.depthwise);
    visit(unsaid("project"), self.project);
    visit(unsaid("tensors"), self.tensors);
  }
  bool operator==(const InvertedResidual&) const = default;

  static Lesson lesson() {
    return {"y = project(depthwise(expand(x))) + residual", "Sandler et al. 2018, arXiv:1801.04381, figure 3"};
  }
  Shape output_shape(Shapes in) const;
  std::vector<WeightSpec> weights(Shapes in) const;
  std::int64_t macs(Shapes in, const Shape& out) const;
  std::string attributes() const;  // those of the convolutions
  // Weight and bias of each convolution as its own prepare() leaves them.
  std::vector<Tensor> prepare(std::vector<Tensor> weights) const;
  std::int64_t scratch(Shapes in, int threads) const;
  void forward(const ForwardArguments& arguments) const;
  static Examples<InvertedResidual> examples();
  static Example<InvertedResidual> drawn(Draw& draw);

  Shape expanded_shape(const Shape& in) const;  // what the depthwise convolution reads
  Shape filtered_shape(const Shape& in) const;  // what it writes
};

}  // namespace tessera
