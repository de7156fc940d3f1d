#include "evaluation/inspect/inspection_page.h"

#include <algorithm>
#include <cmath>

#include "pages/assets.h"
#include "pages/page.h"

namespace tessera {

namespace {

constexpr int kEveryDepth = 1000;

nlohmann::json to_json(const TensorSummary& summary) {
  return {{"count", summary.count}, {"zeros", summary.zeros}, {"mean", summary.mean}, {"deviation", summary.deviation},
          {"min", summary.least},   {"max", summary.most},    {"bins", summary.bins}};
}

// The graph as built and after each pass that changes it.
nlohmann::json steps_of(const ModelCard& card, std::int64_t batch) {
  Graph graph = build_graph(card.config, batch);
  nlohmann::json steps = nlohmann::json::array();
  steps.push_back({{"name", "raw"}, {"what", "as the paper draws it"}, {"layers", layers_to_json(graph)}});
  for (const Pass& pass : passes()) {
    const PassResult result = run_pass(pass, graph, {});
    if (result.folds.empty()) continue;
    steps.push_back({{"name", pass.name}, {"what", pass.what}, {"layers", layers_to_json(graph)}});
  }
  return steps;
}

nlohmann::json model_data(const InspectedModel& model, std::int64_t batch) {
  nlohmann::json tensors = nlohmann::json::object();
  if (model.weights) {
    for (const auto& [name, tensor] : model.weights->tensors()) {
      tensors[name] = to_json(summarise_tensor(tensor.values()));
    }
  }
  return {{"document", to_json(inspect_model(model.card, "raw", batch), kEveryDepth)},
          {"passes", to_json(inspect_model(model.card, "fused", batch), 0).at("passes")},
          {"steps", steps_of(model.card, batch)},
          {"tensors", std::move(tensors)}};
}

}  // namespace

TensorSummary summarise_tensor(std::span<const float> values) {
  constexpr std::size_t kBins = 41;  // odd: zero lies in the middle of a bin of a symmetric distribution
  TensorSummary summary{.count = static_cast<std::int64_t>(values.size()), .bins = {}};
  if (values.empty()) return summary;
  const auto [least, most] = std::ranges::minmax(values);
  summary.least = least;
  summary.most = most;
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += double{value};
    summary.zeros += value == 0 ? 1 : 0;
  }
  summary.mean = sum / static_cast<double>(values.size());
  summary.bins.assign(kBins, 0);
  const double range = double{most} - double{least};
  for (const float value : values) {
    squares += (double{value} - summary.mean) * (double{value} - summary.mean);
    const double place = range > 0 ? (double{value} - double{least}) / range * static_cast<double>(kBins) : 0;
    ++summary.bins[std::min(kBins - 1, static_cast<std::size_t>(place))];
  }
  summary.deviation = std::sqrt(squares / static_cast<double>(values.size()));
  return summary;
}

std::string inspection_page(const std::vector<InspectedModel>& models, std::int64_t batch) {
  std::string title = "tessera inspect:";
  nlohmann::json data{{"models", nlohmann::json::array()}};
  for (const InspectedModel& model : models) {
    title += (data["models"].empty() ? " " : " and ") + model.card.name;
    data["models"].push_back(model_data(model, batch));
  }
  const std::string script = std::string(assets::graph_js) + std::string(assets::inspect_js);
  return make_page({.title = title, .data = std::move(data), .css = assets::inspect_css, .js = script});
}

}  // namespace tessera
