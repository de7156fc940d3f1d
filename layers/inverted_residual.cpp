#include "layers/inverted_residual.h"

#include <algorithm>
#include <iterator>

namespace tessera {

Shape InvertedResidual::expanded_shape(const Shape& in) const {
  return expand ? expand->output_shape(std::array{in}) : in;
}

Shape InvertedResidual::filtered_shape(const Shape& in) const {
  return depthwise.output_shape(std::array{expanded_shape(in)});
}

Shape InvertedResidual::output_shape(Shapes in) const {
  expect_inputs(kName, in, project.residual ? 2 : 1, 4);
  if (!depthwise.depthwise(expanded_shape(in[0])) || depthwise.residual || (expand && expand->residual)) {
    shape_error(kName, "the convolution in the middle must be depthwise, and only the last one adds", in);
  }
  std::vector<Shape> last{filtered_shape(in[0])};
  if (project.residual) last.push_back(in[1]);
  return project.output_shape(last);
}

std::vector<WeightSpec> InvertedResidual::weights(Shapes in) const {
  std::vector<WeightSpec> specs;
  const auto append = [&](const Conv2d& conv, const Shape& shape, const std::string& prefix) {
    for (WeightSpec& spec : conv.weights(std::array{shape}))
      specs.push_back({prefix + spec.name, spec.shape, spec.seeded});
  };
  if (expand) append(*expand, in[0], "expand.");
  append(depthwise, expanded_shape(in[0]), "depthwise.");
  append(project, filtered_shape(in[0]), "project.");
  return specs;
}

std::int64_t InvertedResidual::macs(Shapes in, const Shape& out) const {
  const Shape expanded = expanded_shape(in[0]), filtered = filtered_shape(in[0]);
  const std::int64_t wide = expand ? expand->macs(in.first(1), expanded) : 0;
  return wide + depthwise.macs(std::array{expanded}, filtered) + project.macs(std::array{filtered}, out);
}

std::string InvertedResidual::attributes() const {
  return (expand ? say_fields(*expand) + "; " : "") + say_fields(depthwise) + "; " + say_fields(project);
}

std::vector<Tensor> InvertedResidual::prepare(std::vector<Tensor> weights) const {
  std::vector<Tensor> prepared;
  auto next = weights.begin();
  const auto append = [&](const Conv2d& conv, std::int64_t count) {
    std::vector<Tensor> own(std::make_move_iterator(next), std::make_move_iterator(next + count));
    next += count;
    std::ranges::move(conv.prepare(std::move(own)), std::back_inserter(prepared));
  };
  if (expand) append(*expand, tensors[0]);
  append(depthwise, tensors[1]);
  append(project, tensors[2]);
  return prepared;
}

std::int64_t InvertedResidual::scratch(Shapes in, int threads) const {
  const Shape expanded = expanded_shape(in[0]), filtered = filtered_shape(in[0]);
  Conv2d last = project;
  last.residual = false;  // which takes no scratch
  const std::int64_t wide = expand ? expand->scratch(in.first(1), threads) : 0;
  const std::int64_t products = std::max(wide, last.scratch(std::array{filtered}, threads));
  return (expand ? expanded.count() : 0) + filtered.count() + products;
}

void InvertedResidual::forward(const ForwardArguments& arguments) const {
  const ConstView x = arguments.inputs[0];
  std::span<float> left = arguments.scratch;
  const auto take = [&left](const Shape& shape) {
    const View taken(left.data(), shape);
    left = left.subspan(static_cast<std::size_t>(shape.count()));
    return taken;
  };
  std::span<const Tensor> weights = arguments.weights;
  const auto run = [&](const Conv2d& conv, std::span<const ConstView> inputs, View output) {
    const std::size_t count = conv.bias ? 2 : 1;
    conv.forward({inputs, weights.first(count), output, left, arguments.threads});
    weights = weights.subspan(count);
  };
  ConstView wide = x;
  if (expand) {
    const View expanded = take(expanded_shape(x.shape()));
    run(*expand, std::array{x}, expanded);
    wide = expanded;
  }
  const View filtered = take(filtered_shape(x.shape()));
  run(depthwise, std::array{wide}, filtered);
  const std::array<ConstView, 2> last{filtered, arguments.inputs.back()};
  run(project, std::span(last).first(arguments.inputs.size()), arguments.output);
}

}  // namespace tessera
