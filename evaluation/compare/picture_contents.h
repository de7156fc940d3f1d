#pragma once
// Checks that a resumed run sees the same pictures as before. A data set's hash covers names and sizes; this covers
// bytes.

#include <filesystem>
#include <span>

#include "evaluation/compare/result.h"
#include "vision/dataset.h"

namespace tessera {

// Reads again pictures of finished rows, spread over all of them, up to 256 MiB: all of a small data set, some 2,300 of
// ImageNet's. Throws UsageError naming the first picture whose bytes have changed since its row was made. A picture
// that cannot be read now proves nothing and is passed over.
void expect_same_contents(const std::filesystem::path& log, const Dataset& dataset,
                          std::span<const ComparisonRow> rows);

}  // namespace tessera
