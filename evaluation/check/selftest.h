#pragma once
// Tests a device against the readable layers: each layer, small models, and speed. Its report is for users who have a
// device that the authors do not have.

#include <functional>
#include <string>
#include <vector>

#include "evaluation/ready/classifier.h"

namespace tessera {

struct SelftestRow {
  std::string name;            // "Conv2d 3x3, + residual, relu", "resnet50 at 64"
  std::string implementation;  // for a layer: its kernel
  double error = 0;            // the largest difference, in root mean squares of the expected values
  double tolerance = 0;
  double ms = 0;                                      // of a run on the device, the median
  double reference_ms = 0;                            // of the readable layers; 0: not run
  double gflops = 0;                                  // two operations for each multiply-add; 0 where there are none
  bool passed() const { return error <= tolerance; }  // a NaN does not pass
};

struct SelftestResult {
  std::string device;    // its description
  bool hardware = true;  // false: an emulated device, whose times mean nothing
  std::vector<SelftestRow> layers, models;
  // Full-size models, if asked for: only times; `models` checks them at a smaller size.
  std::vector<SelftestRow> speeds;
  bool passed() const;
};

// The largest error that a dtype may cause in one layer, and in a whole model.
struct SelftestTolerance {
  double layer = 0, model = 0;
};
SelftestTolerance selftest_tolerance(const std::string& dtype);

// Calls `done` after each row. `full`: full-size models as well. Throws what make_backend() throws.
SelftestResult run_selftest(const RunOptions& options, bool full, const std::function<void(const SelftestRow&)>& done);

// One line to paste into a report: version, device, dtype, how many passed, the worst errors, speeds.
std::string selftest_line(const SelftestResult& result, const RunOptions& options);

}  // namespace tessera
