#pragma once
// The article's six panels, drawn right: intervals on the accuracies, agreement called by its name, and box plots that
// no outlier flattens. N models.

#include "evaluation/summary/summary.h"

namespace tessera {

// Quantiles of what the inference of a picture's batch takes (of one picture: its own), ms; whiskers end at the 1st and
// 99th percentile.
struct TimeBox {
  double low = 0, quarter = 0, median = 0, three_quarters = 0, high = 0;
  std::size_t beyond = 0;  // pictures above `high`, not drawn
  double largest = 0;
};
// By model; zeros where there are no predictions.
std::vector<TimeBox> time_boxes(const ComparisonResult& result);

struct Panels {
  std::string png, svg;  // the files' bytes, 1600 x 1000; the PNG is the same for the same results
};
// Throws ResourceError.
Panels draw_panels(const ComparisonSummary& summary, const ComparisonResult& result);

}  // namespace tessera
