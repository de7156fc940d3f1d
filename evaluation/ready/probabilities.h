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

// "logit 3 of 1000 is nan" for the first logit that is NaN or infinite, "" where there is none.
std::string fault_of_logits(std::span<const float> logits);
// Softmax of the logits in float64. Throws ModelFileError naming the first logit that is NaN or infinite, since nothing
// follows from it.
std::vector<double> probabilities(std::span<const float> logits);
// The `count` largest, in descending order; of equal ones the smaller index first.
std::vector<ClassProbability> top(std::span<const double> probabilities, std::size_t count);

}  // namespace tessera
