#pragma once
// The article's six panels for N models, corrected: intervals on the accuracies, agreement under its right name, and
// box plots that no outlier flattens.

#include "evaluation/summary/summary.h"

namespace tessera {

// Quantiles of the inference time of a picture's batch in ms; whiskers end at the 1st and 99th percentile.
struct TimeBox {
  double low = 0, quarter = 0, median = 0, three_quarters = 0, high = 0;
  std::size_t beyond = 0;  // pictures above `high`, not drawn
  double largest = 0;
};
// For each model; zeros where there are no predictions.
std::vector<TimeBox> time_boxes(const ComparisonResult& result);

struct Panels {
  std::string png, svg;  // the files' bytes, 1600 x 1000; the PNG is the same for the same results
};
// Throws ResourceError.
Panels draw_panels(const ComparisonSummary& summary, const ComparisonResult& result);

}  // namespace tessera
