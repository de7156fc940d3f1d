#pragma once
// What pictures' bytes say of a run: whether a resumed one sees the same pictures as before (a data set's hash covers
// names and sizes only), and whether one picture stands for two classes.

#include <filesystem>
#include <span>
#include <string>

#include "evaluation/compare/result.h"
#include "vision/dataset.h"

namespace tessera {

// Reads again pictures of finished rows, spread over all of them, up to 256 MiB: all of a small data set, some 2,300 of
// ImageNet's. Throws UsageError naming the first picture whose bytes have changed since its row was made. A picture
// that cannot be read now proves nothing and is passed over.
void expect_same_contents(const std::filesystem::path& log, const Dataset& dataset,
                          std::span<const ComparisonRow> rows);

// A note on pictures that have the same bytes as one of another class, how many and the first of them; "" for none.
// Where checksums agree it reads the files, up to 256 MiB, since checksums of different files may agree too.
std::string note_of_same_pictures(std::span<const ComparisonRow> rows);

}  // namespace tessera
