#pragma once
// What a model goes by when shape and texture contradict each other (Geirhos et al. 2019, arXiv:1811.12231).

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/summary/statistics.h"

namespace tessera {

// Decisions on pictures with the shape of one class and the texture of another.
struct ShapeBias {
  std::int64_t shape = 0, texture = 0, neither = 0;
  // The share of shape among the decisions for one of the two, and its 95 % interval; NaN and [0, 1] without any.
  double bias = 0;
  Interval interval;
};
// By model. A picture's class is its shape; its texture stands in its file name, `<shape><i>-<texture><j>.<ending>` as
// in the paper's set and in `tessera synth shapes --cue-conflict`, by a name of the models' classes. Pictures whose
// texture is their own shape's are in no figure. Throws InputError for a file of another name.
std::vector<ShapeBias> shape_biases(const ComparisonResult& result);

std::string shape_bias_text(const ComparisonResult& result, const std::vector<ShapeBias>& biases);
nlohmann::json shape_bias_json(const ComparisonResult& result, const std::vector<ShapeBias>& biases);

}  // namespace tessera
