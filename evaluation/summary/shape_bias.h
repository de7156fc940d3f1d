#pragma once
// Measures whether a model decides by shape or by texture when they contradict each other (Geirhos et al. 2019,
// arXiv:1811.12231).

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "evaluation/compare/result.h"
#include "evaluation/summary/statistics.h"

namespace tessera {

// Decisions on pictures with the shape of one class and the texture of another.
struct ShapeBias {
  std::int64_t shape = 0, texture = 0, neither = 0;
  // The share of decisions for the shape among all for shape or texture, and its 95 % interval; NaN and [0, 1] where
  // there are none.
  double bias = 0;
  Interval interval;
};
// By model. A picture's class is its shape; its texture stands in its file name, `<shape><i>-<texture><j>.<ending>` as
// in the paper's set and in `tessera synth shapes --cue-conflict`, by a name of the models' classes. Pictures whose
// texture is that of their own shape are not counted. Throws InputError for a file of another name.
std::vector<ShapeBias> shape_biases(const ComparisonResult& result);

std::string shape_bias_text(const ComparisonResult& result, const std::vector<ShapeBias>& biases);
nlohmann::json shape_bias_json(const ComparisonResult& result, const std::vector<ShapeBias>& biases);

}  // namespace tessera
