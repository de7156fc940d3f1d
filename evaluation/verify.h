#pragma once
// Holds a model against what another implementation made of the same pictures, layer by layer.

#include <string>
#include <vector>

#include "evaluation/classifier.h"
#include "weights/reference_file.h"

namespace tessera {

struct Tolerance {
  double relative = 2e-5;
  double absolute = 2e-5;  // |found - expected| <= absolute + relative * |expected|
};

// One activation, or the output, held against the reference.
struct LayerDifference {
  std::string path;
  std::size_t values = 0;  // compared
  double max_error = 0;    // |found - expected|
  double mean_error = 0;
  double worst = 0;                // max of |found - expected| / (absolute + relative * |expected|): above 1 it fails
  std::int64_t worst_index = 0;    // flat
  double expected = 0, found = 0;  // there
  bool passed() const { return worst <= 1; }
};

struct VerifyResult {
  LayerDifference output;
  std::vector<LayerDifference> activations;  // in the order of execution
  std::vector<std::string> missing;          // of the reference, not in this graph
  bool top5_equal = true;                    // for every picture; true for models without classes
  bool passed() const;
  // The first activation in the order of execution that fails, or null.
  const LayerDifference* first_failure() const;
};

// Runs the reference's pictures in batches of `options.max_batch`. Throws UsageError when the model takes other
// pictures.
VerifyResult verify_model(LoadedModel model, const ReferenceFile& reference, RunOptions options,
                          const Tolerance& tolerance);

}  // namespace tessera
