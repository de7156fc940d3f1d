#include "layers/examples.h"

#include <array>
#include <utility>

namespace tessera {

namespace {

template <class L>
void append_examples(Examples<Layer>& all) {
  Examples<L> own = L::examples();
  for (Example<L>& example : own.good) all.good.push_back({std::move(example.layer), std::move(example.in)});
  for (Refusal<L>& refusal : own.refused) {
    all.refused.push_back({std::move(refusal.layer), std::move(refusal.in), refusal.because});
  }
}

template <std::size_t... Kind>
Examples<Layer> all_examples(std::index_sequence<Kind...>) {
  Examples<Layer> all;
  (append_examples<std::variant_alternative_t<Kind, Layer>>(all), ...);
  return all;
}

using Kinds = std::make_index_sequence<std::variant_size_v<Layer>>;

const Examples<Layer>& examples() {
  static const Examples<Layer> all = all_examples(Kinds());
  return all;
}

template <class L>
LayerExample draw_one(Draw& draw) {
  Example<L> drawn = L::drawn(draw);
  return {std::move(drawn.layer), std::move(drawn.in)};
}

template <std::size_t... Kind>
LayerExample draw_kind(std::size_t kind, Draw& draw, std::index_sequence<Kind...>) {
  constexpr std::array<LayerExample (*)(Draw&), sizeof...(Kind)> kDrawers{
      &draw_one<std::variant_alternative_t<Kind, Layer>>...};
  return kDrawers.at(kind)(draw);
}

}  // namespace

const std::vector<LayerExample>& good_examples() { return examples().good; }
const std::vector<LayerRefusal>& refused_examples() { return examples().refused; }

LayerExample draw_layer(std::size_t kind, Draw& draw) { return draw_kind(kind, draw, Kinds()); }

std::vector<Tensor> draw_inputs(const std::vector<Shape>& in, Draw& draw, double bound) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : in) inputs.push_back(draw.tensor(shape, bound));
  return inputs;
}

std::vector<Tensor> draw_weights(const Layer& layer, Shapes in, Draw& draw) {
  std::vector<Tensor> weights;
  for (const WeightSpec& spec : layer_weights(layer, in)) weights.push_back(draw.tensor(spec.shape, spec.seeded));
  return weights;
}

}  // namespace tessera
