#include "evaluation/report/gallery.h"

#include <algorithm>
#include <functional>
#include <set>

namespace tessera {

namespace {

constexpr std::size_t kNeither = 2;

// Rows of the group's kinds, the most confident first.
std::vector<std::size_t> sorted_rows(const ComparisonResult& result, const GalleryGroup& group) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    if (!result.rows[i].error.empty()) continue;
    const Prediction &a = result.rows[i].predictions[group.first], &b = result.rows[i].predictions[group.second];
    const bool alone = group.first == group.second;
    if (alone ? !a.top1_correct : a.index != b.index) rows.push_back(i);
  }
  std::ranges::stable_sort(rows, std::greater(), [&](std::size_t row) {
    const auto& predictions = result.rows[row].predictions;
    return std::min(predictions[group.first].confidence, predictions[group.second].confidence);
  });
  return rows;
}

std::size_t kind_of(const ComparisonRow& row, const GalleryGroup& group) {
  const bool first = row.predictions[group.first].top1_correct, second = row.predictions[group.second].top1_correct;
  return first ? 0 : second ? 1 : kNeither;
}

GalleryGroup choose(const ComparisonResult& result, std::size_t first, std::size_t second, std::size_t most) {
  GalleryGroup group{.first = first, .second = second};
  std::set<int> classes;  // that have a picture in the group
  for (const std::size_t index : sorted_rows(result, group)) {
    const ComparisonRow& row = result.rows[index];
    const std::size_t kind = kind_of(row, group);
    ++group.found[kind];
    const bool new_class = classes.insert(row.sample.label).second;
    if (new_class || group.rows[kind].size() < most) group.rows[kind].push_back(index);
  }
  return group;
}

}  // namespace

Gallery choose_gallery(const ComparisonResult& result, std::size_t most) {
  Gallery gallery;
  const std::size_t models = result.header.models.size();
  if (models == 1) gallery.groups.push_back(choose(result, 0, 0, most));
  for (std::size_t a = 0; a < models; ++a) {
    for (std::size_t b = a + 1; b < models; ++b) gallery.groups.push_back(choose(result, a, b, most));
  }
  // In turn the next of each kind and group, so that what is first in each comes first.
  std::set<std::size_t> seen;
  bool more = true;
  for (std::size_t place = 0; more; ++place) {
    more = false;
    for (const GalleryGroup& group : gallery.groups) {
      for (const std::vector<std::size_t>& rows : group.rows) {
        if (place >= rows.size()) continue;
        more = true;
        if (seen.insert(rows[place]).second) gallery.rows.push_back(rows[place]);
      }
    }
  }
  return gallery;
}

}  // namespace tessera
