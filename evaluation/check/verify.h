#pragma once
// Compares a model with another implementation's activations for the same pictures, layer by layer.

#include <string>
#include <vector>

#include "evaluation/check/difference.h"
#include "evaluation/ready/classifier.h"
#include "weights/activation_file.h"

namespace tessera {

struct VerifyResult {
  LayerDifference output;
  std::vector<LayerDifference> activations;  // in the order of execution
  std::vector<std::string> missing;          // activations of the reference that this graph lacks
  bool top5_equal = true;                    // for every picture; true for models without classes
  bool passed() const;
  // The first activation in the order of execution that fails, or null.
  const LayerDifference* first_failure() const;
};

// Runs the reference's pictures in batches of `options.max_batch`. Throws UsageError when the model takes pictures of
// another size.
VerifyResult verify_model(LoadedModel model, const ActivationFile& reference, RunOptions options,
                          const Tolerance& tolerance);

}  // namespace tessera
