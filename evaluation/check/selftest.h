#pragma once
// Tests a device against the readable layers: each layer, small models, and speed. Its report is for users who have a
// device that the authors do not have.

#include <functional>
#include <string>
#include <vector>

#include "evaluation/ready/classifier.h"

namespace tessera {

struct SelftestRow {
  std::string name;            // "Conv2d 64, kernel 3, + residual, relu", "resnet50 at 64"
  std::string implementation;  // of a layer: its kernel
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
  std::vector<std::string> left_out;  // layers that the device refuses, and why: the CPU computes models that have them
  // Full-size models, where they were asked for: times alone, checked by `models` at a smaller size.
  std::vector<SelftestRow> speeds;
  bool passed() const;
};

// How far a device may be from the readable layer, in root mean squares of the expected values, by the format that it
// multiplies and the number of values that are summed; and how far a whole model may be.
double layer_tolerance(const Layer& layer, Shapes in, const std::string& dtype);
double model_tolerance(const std::string& dtype);

// The layers' own examples on a backend. Calls `done` after each row; what the backend refuses is added to `left_out`.
std::vector<SelftestRow> check_layers(const Backend& backend, const RunOptions& options,
                                      const std::function<void(const SelftestRow&)>& done,
                                      std::vector<std::string>& left_out);

// Calls `done` after each row. `full`: full-size models as well. Throws what make_backend() throws.
SelftestResult run_selftest(const RunOptions& options, bool full, const std::function<void(const SelftestRow&)>& done);

// One line to paste into a report: version, device, dtype, how many passed, the worst errors, speeds.
std::string selftest_line(const SelftestResult& result, const RunOptions& options);

}  // namespace tessera
