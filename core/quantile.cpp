#include "core/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/error.h"

namespace tessera {

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) throw InternalError("quantile of no values");
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace tessera
