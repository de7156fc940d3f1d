#pragma once
// Writes activations to files: what the taps of a classifier's program keep, in the order of execution.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/taps.h"
#include "evaluation/ready/classifier.h"

namespace tessera {

// Both run `input` once, [n, S, S, 3] with n up to the largest batch, and return what they wrote. They throw
// ResourceError and leave nothing half-written under the name that was asked for.

// A file for `tessera diff` (weights/activation_file.h). `settings` says how it was made.
std::vector<TappedValue> write_dump(const std::filesystem::path& path, Classifier& classifier, ConstView input,
                                    const nlohmann::json& settings);
// One .npy file an activation, numbered in the order of execution ("007_layer1.0.conv1.npy"), input.npy, output.npy,
// and last index.json, which has `settings` and names them all.
std::vector<TappedValue> write_npy_dump(const std::filesystem::path& folder, Classifier& classifier, ConstView input,
                                        const nlohmann::json& settings);

}  // namespace tessera
