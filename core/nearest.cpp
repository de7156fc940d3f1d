#include "core/nearest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tessera {

namespace {

// Levenshtein distance: insertions, deletions and substitutions that turn one into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance <= std::max<std::size_t>(2, name.size() / 3)) near.emplace_back(distance, candidate);
  }
  if (near.empty()) return "";
  std::ranges::stable_sort(near, {}, [](const auto& entry) { return entry.first; });
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < std::min<std::size_t>(3, near.size()); ++i) {
    text += (i == 0 ? "'" : ", '") + std::string(near[i].second) + "'";
  }
  return text + "?";
}

std::string unknown_word(std::string_view what, std::string_view name, std::span<const std::string> known) {
  std::string text = "unknown " + std::string(what) + " '" + std::string(name) + "'; known: ";
  for (std::size_t i = 0; i < known.size(); ++i) text += (i == 0 ? "" : ", ") + known[i];
  return text + did_you_mean(name, known);
}

}  // namespace tessera
