#pragma once
// Takes off, and puts on, the head of a classifier: the linear layer that reads its pooled features.

#include <cstdint>
#include <span>
#include <vector>

#include "core/weight_spec.h"
#include "weights/model_file.h"

namespace tessera {

// The head's tensors, weight [classes, width] and bias [classes]; none for a model whose output is features.
std::vector<WeightSpec> head_weights(const ModelConfig& config);

// The width of the features that a head reads: of the output of the model without one.
std::int64_t feature_width(const ModelConfig& config);

// Afterwards the model's output is its features: no classes, no labels, no tensors of a head. card.sha256 still names
// the weights that it was opened with. A model without a head stays as it is.
void remove_head(LoadedModel& model);

// Gives a model without a head one of labels.size() classes: weight [classes, width], bias [classes]. Throws
// InternalError when the sizes differ or there is a head.
void put_head(LoadedModel& model, std::span<const float> weight, std::span<const float> bias, LabelSet labels);

}  // namespace tessera
