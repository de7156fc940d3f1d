#pragma once
// Ranges of a model's activations, measured on pictures: the scales of int8 arithmetic (docs/model-format.md).

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/classifier.h"
#include "vision/decode.h"

namespace tessera {

enum class RangeMethod {
  kMinMax,  // everything that was seen
  kMse,     // what gives the least squared error when values are rounded to 256 steps; the few beyond are clipped
};
// "minmax" or "mse". Throws UsageError.
RangeMethod range_method_from_string(const std::string& name);
std::string_view to_string(RangeMethod method);

// `limit` of pictures_under() a folder (0: all), taken at equal distances so that every class has its share.
std::vector<std::filesystem::path> calibration_pictures(const std::filesystem::path& folder, std::size_t limit);

// Runs the pictures through a classifier (float32, batch 1, RunOptions::rewrite off: each layer's output is to be
// seen), twice: for the ends of each range, then for what lies between. Calls progress(done, total) after each picture
// and gives nothing when that says false. Throws InputError for a picture that cannot be read.
std::optional<Calibration> calibrate(Classifier& classifier, const std::vector<std::filesystem::path>& pictures,
                                     RangeMethod method, const DecodeOptions& decode,
                                     const std::function<bool(std::size_t, std::size_t)>& progress);

}  // namespace tessera
