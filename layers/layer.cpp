#include "layers/layer.h"

#include <algorithm>

namespace tessera {

std::string_view layer_name(const Layer& layer) {
  return std::visit([]<class T>(const T&) { return T::kName; }, layer);
}

Lesson layer_lesson(const Layer& layer) {
  return std::visit([](const auto& l) { return l.lesson(); }, layer);
}

std::string layer_attributes(const Layer& layer) {
  return std::visit(
      [](const auto& l) -> std::string {
        if constexpr (requires { l.attributes(); }) {
          return l.attributes();
        } else {
          return say_fields(l);
        }
      },
      layer);
}

Shape layer_output_shape(const Layer& layer, Shapes in) {
  return std::visit([&](const auto& l) { return l.output_shape(in); }, layer);
}

std::vector<WeightSpec> layer_weights(const Layer& layer, Shapes in) {
  return std::visit(
      [&](const auto& l) -> std::vector<WeightSpec> {
        if constexpr (requires { l.weights(in); }) return l.weights(in);
        return {};
      },
      layer);
}

std::int64_t layer_macs(const Layer& layer, Shapes in, const Shape& out) {
  return std::visit(
      [&](const auto& l) -> std::int64_t {
        if constexpr (requires { l.macs(in, out); }) return l.macs(in, out);
        return 0;
      },
      layer);
}

std::int64_t layer_norm_operations(const Layer& layer, Shapes in, const Shape& out) {
  return std::visit(
      [&](const auto& l) -> std::int64_t {
        if constexpr (requires { l.norm_operations(in, out); }) return l.norm_operations(in, out);
        return 0;
      },
      layer);
}

std::int64_t layer_reduction(const Layer& layer, Shapes in) {
  return std::visit(
      [&](const auto& l) -> std::int64_t {
        if constexpr (requires { l.reduction(in); }) return std::max<std::int64_t>(1, l.reduction(in));
        const Shape out = l.output_shape(in);
        return std::max<std::int64_t>(1, layer_macs(layer, in, out) / std::max<std::int64_t>(1, out.count()));
      },
      layer);
}

bool layer_may_overwrite_input(const Layer& layer) {
  return std::visit(
      []<class T>(const T&) {
        if constexpr (requires { T::kMayOverwriteInput; }) return T::kMayOverwriteInput;
        return false;
      },
      layer);
}

bool layer_takes_index(const Layer& layer, std::size_t input) {
  return std::visit(
      [&](const auto& l) {
        if constexpr (requires { l.takes_index(input); }) return l.takes_index(input);
        return false;
      },
      layer);
}

std::vector<Tensor> layer_prepare(const Layer& layer, std::vector<Tensor> weights) {
  return std::visit(
      [&](const auto& l) -> std::vector<Tensor> {
        if constexpr (requires { l.prepare(std::move(weights)); }) return l.prepare(std::move(weights));
        return std::move(weights);
      },
      layer);
}

std::int64_t layer_scratch(const Layer& layer, Shapes in, int threads) {
  return std::visit(
      [&](const auto& l) -> std::int64_t {
        if constexpr (requires { l.scratch(in, threads); }) return l.scratch(in, threads);
        return 0;
      },
      layer);
}

void layer_forward(const Layer& layer, const ForwardArguments& arguments) {
  std::visit([&](const auto& l) { l.forward(arguments); }, layer);
}

}  // namespace tessera
