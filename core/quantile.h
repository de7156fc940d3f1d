#pragma once

#include <vector>

namespace tessera {

// The q-quantile (0 to 1) of sorted values by the nearest-rank rule: the smallest value that at least q of all do not
// exceed. Throws InternalError when there are none.
double quantile(const std::vector<double>& sorted, double q);

}  // namespace tessera
