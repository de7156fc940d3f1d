#pragma once
// Compares two sets of activations, layer by layer, in the order of execution.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "weights/activation_file.h"

namespace tessera {

struct Tolerance {
  double relative = 2e-5;
  double absolute = 2e-5;  // |found - expected| <= absolute + relative * |expected|
};

// One activation, or the output, compared with the expected one.
struct LayerDifference {
  std::string path;
  Shape shape;                                      // as expected
  std::optional<Shape> other_shape = std::nullopt;  // as found, where it differs: then nothing is compared
  std::size_t values = 0;                           // compared
  double max_error = 0;                             // |found - expected|
  double mean_error = 0;
  double cosine = 1;               // of the angle between both, of the values compared; 1 for two zeros
  double worst = 0;                // max of |found - expected| / (absolute + relative * |expected|): above 1 it fails
  std::int64_t worst_index = 0;    // flat, of that value
  double expected = 0, found = 0;  // there
  bool passed() const { return !other_shape && values > 0 && worst <= 1; }
};

// Collects a LayerDifference value by value. A value that is not finite fails.
class DifferenceSum {
 public:
  DifferenceSum(std::string path, const Shape& shape, const Tolerance& tolerance);
  void add(double found, double expected, std::int64_t index);
  LayerDifference result() const;

 private:
  Tolerance tolerance_;
  LayerDifference difference_;
  double error_sum_ = 0, product_ = 0, found_square_ = 0, expected_square_ = 0;
};

// The place of a flat index along each dimension.
std::vector<std::int64_t> position_of(std::int64_t index, const Shape& shape);
// "n 0, h 12, w 7, c 33", by the layout of the shape.
std::string position_text(std::int64_t index, const Shape& shape);

struct FileDifference {
  // What both files have, in the order of execution of the first: "input", the activations, "output".
  std::vector<LayerDifference> layers;
  std::vector<std::string> only_in_first, only_in_second;  // in the order of execution
  // The first layer that fails, or null.
  const LayerDifference* first_failure() const;
  // The layer that exceeds the tolerance by the most (a different shape counts as the most), or null when none fails.
  const LayerDifference* worst_failure() const;
};

// Compares `second` with `first`, with one activation in memory at a time. Of a sampled activation the samples are
// compared. Throws ModelFileError, and CheckError when they have no activation in common.
FileDifference compare_files(const ActivationReader& first, const ActivationReader& second, const Tolerance& tolerance);

}  // namespace tessera
