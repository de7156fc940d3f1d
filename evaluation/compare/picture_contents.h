#pragma once
// Whether a run that goes on sees the pictures that it saw before. A data set's names and sizes are part of its hash;
// this is about their bytes.

#include <filesystem>
#include <span>

#include "evaluation/compare/result.h"
#include "vision/dataset.h"

namespace tessera {

// Reads pictures of rows that are done again, spread over all of them, up to 256 MiB: all of a small data set, some
// 2,300 of ImageNet's. Throws UsageError naming the first whose bytes are others than when its row was made. What
// cannot be read now says nothing.
void expect_same_contents(const std::filesystem::path& log, const Dataset& dataset,
                          std::span<const ComparisonRow> rows);

}  // namespace tessera
