#include "models/family.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace tessera {

std::int64_t blocks_under(const WeightStore& weights, const std::string& prefix, const std::string& leaf) {
  std::int64_t count = 0;
  while (weights.contains(prefix + std::to_string(count) + leaf)) ++count;
  return count;
}

std::int64_t dimension(const WeightStore& weights, const std::string& name, int index) {
  const Shape& shape = weights.at(name).shape();
  if (index >= shape.rank()) throw ModelFileError(name + ": has only the shape " + to_string(shape));
  return shape[index];
}

bool has_name_with(const WeightStore& weights, std::string_view part) {
  return std::ranges::any_of(weights.tensors(),
                             [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

void refuse_tensor(const std::string& name, const Tensor& tensor, std::string_view kind) {
  throw ModelFileError("'" + name + "' " + to_string(tensor.shape()) + " belongs to a network with " +
                       std::string(kind) + ", which tessera does not have");
}

bool same_value(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number_float() && b.is_number()) return std::abs(a.get<double>() - b.get<double>()) < 1e-4;
  return a == b;
}

}  // namespace tessera
