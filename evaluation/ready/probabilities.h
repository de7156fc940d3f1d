#pragma once
// From logits to classes.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tessera {

struct ClassProbability {
  int index = -1;
  double probability = 0;  // 0 to 1
};

// "logit 3 of 1000 is nan" for the first that is no number (infinities are none), "" where all are.
std::string fault_of_logits(std::span<const float> logits);
// Softmax of the logits in float64. Throws ModelFileError, saying which, where one is no number: nothing follows from
// it.
std::vector<double> probabilities(std::span<const float> logits);
// The `count` largest, first the larger; on a tie the smaller index.
std::vector<ClassProbability> top(std::span<const double> probabilities, std::size_t count);

}  // namespace tessera
