#pragma once
// Chooses the pictures that a page shows: those on which two models disagree (or one errs), the most confident first.

#include <array>
#include <cstdint>
#include <vector>

#include "evaluation/compare/result.h"

namespace tessera {

// Two models' disagreements, or with first == second the errors of one model.
struct GalleryGroup {
  std::size_t first = 0, second = 0;  // models
  // Rows where only the first is right, only the second is, or neither is and they differ. For one model all are in the
  // last.
  std::array<std::vector<std::size_t>, 3> rows;
  std::array<std::int64_t, 3> found{};  // how many rows there are, shown or not
};

struct Gallery {
  std::vector<GalleryGroup> groups;
  std::vector<std::size_t> rows;  // of all groups, each once, in the order in which a reader sees them
};

// Takes of each kind the `most` rows on which both models were the most confident, and for each class the most
// confident row.
Gallery choose_gallery(const ComparisonResult& result, std::size_t most);

}  // namespace tessera
