#pragma once
// tessera inspect --html: one self-contained page (pages/inspect.js) of a model, or of several side by side.

#include <optional>
#include <string>
#include <vector>

#include "evaluation/inspect/inspection.h"

namespace tessera {

// The distribution of one tensor's values.
struct TensorSummary {
  std::int64_t count = 0, zeros = 0;
  double mean = 0, deviation = 0;
  float least = 0, most = 0;
  std::vector<std::int64_t> bins;  // of equal width from `least` to `most`
};
TensorSummary summarise_tensor(std::span<const float> values);

struct InspectedModel {
  ModelCard card;
  std::optional<WeightStore> weights;  // none: an architecture
};
// `batch` as for inspect_model().
std::string inspection_page(const std::vector<InspectedModel>& models, std::int64_t batch);

}  // namespace tessera
