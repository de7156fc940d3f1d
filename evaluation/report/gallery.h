#pragma once
// The pictures that a page shows: where two models disagree (or one errs), the most confident first.

#include <array>
#include <cstdint>
#include <vector>

#include "evaluation/compare/result.h"

namespace tessera {

// Two models' disagreements, or with first == second the errors of one model.
struct GalleryGroup {
  std::size_t first = 0, second = 0;  // models
  // Rows: only the first is right, only the second is, neither is and they differ. Of one model: all in the last.
  std::array<std::vector<std::size_t>, 3> rows;
  std::array<std::int64_t, 3> found{};  // how many there are, shown or not
};

struct Gallery {
  std::vector<GalleryGroup> groups;
  std::vector<std::size_t> rows;  // of all groups, each once, those first that a reader sees first
};

// Of each kind the `most` on which both models were the most confident, and for each class its most confident one.
Gallery choose_gallery(const ComparisonResult& result, std::size_t most);

}  // namespace tessera
