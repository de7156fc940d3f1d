#pragma once
// Ranges of a model's activations, measured on pictures: the scales of int8 arithmetic (docs/model-format.md).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/ready/classifier.h"
#include "vision/decode.h"
#include "vision/picture_files.h"

namespace tessera {

enum class RangeMethod {
  kMinMax,  // everything that was seen
  kMse,     // what gives the least squared error when values are rounded to 256 steps; the few beyond are clipped
};
// "minmax" or "mse". Throws UsageError.
RangeMethod range_method_from_string(const std::string& name);
std::string_view to_string(RangeMethod method);

// `limit` of them (0: all), taken at equal distances so that every class has its share.
std::vector<Sample> calibration_pictures(std::vector<Sample> pictures, std::size_t limit);

struct Calibrated {
  Calibration calibration;          // of the pictures that could be read
  std::vector<std::string> failed;  // why each of the others could not, with its file's name
};

// Runs the pictures through a classifier (float32, batch 1, RunOptions::rewrite off: each layer's output is to be
// seen), twice: for the ends of each range, then for what lies between. Calls progress(done, total) after each picture
// and gives nothing when that says false. Throws InputError when no picture can be read.
std::optional<Calibrated> calibrate(Classifier& classifier, const std::vector<Sample>& pictures, RangeMethod method,
                                    const DecodeOptions& decode,
                                    const std::function<bool(std::size_t, std::size_t)>& progress);

}  // namespace tessera
