#include "weights/head.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace tessera {

std::vector<WeightSpec> head_weights(const ModelConfig& config) {
  // The tensors that this graph needs and the same network without a head does not.
  const std::vector<WeightSpec> backbone = build_graph(with_classes(config, 0)).weight_specs();
  std::vector<WeightSpec> head = build_graph(config).weight_specs();
  std::erase_if(head, [&](const WeightSpec& spec) {
    return std::ranges::find(backbone, spec.name, &WeightSpec::name) != backbone.end();
  });
  return head;
}

std::int64_t feature_width(const ModelConfig& config) {
  const Graph graph = build_graph(with_classes(config, 0));
  return graph.shape(graph.output_id())[-1];
}

void remove_head(LoadedModel& model) {
  for (const WeightSpec& spec : head_weights(model.card.config)) {
    model.weights.take(spec.name);
    model.card.calibration.ranges.erase(spec.name.substr(0, spec.name.rfind('.')));
  }
  model.card.config = with_classes(model.card.config, 0);
  model.card.labels = {};
}

void put_head(LoadedModel& model, std::span<const float> weight, std::span<const float> bias, LabelSet labels) {
  if (!head_weights(model.card.config).empty()) throw InternalError("put_head: " + model.card.name + " has a head");
  const ModelConfig config = with_classes(model.card.config, static_cast<std::int64_t>(labels.size()));
  const std::vector<WeightSpec> specs = head_weights(config);
  for (const WeightSpec& spec : specs) {
    const std::span<const float> values = spec.shape.rank() == 2 ? weight : bias;
    if (static_cast<std::int64_t>(values.size()) != spec.shape.count()) {
      throw InternalError("put_head: " + spec.name + " has another size");
    }
    model.weights.put(spec.name, Tensor::from(values, spec.shape));
  }
  model.card.config = config;
  model.card.labels = std::move(labels);
}

}  // namespace tessera
