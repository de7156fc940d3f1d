#pragma once
// Profiles as JSON, CSV and one HTML page, and lines of several profiles side by side.

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/inspect/profiling.h"

namespace tessera {

// "seeded:resnet50@7, f32, 2 threads, batch 1"
std::string title_of(const ModelProfile& profile);

// One line in all profiles; empty for a profile that has no line of that name.
struct ComparedLine {
  std::string name;
  std::vector<std::optional<ProfileLine>> lines;  // by profile
};
// In the order of execution of the first profile; a line that only others have follows its predecessor there.
std::vector<ComparedLine> compare_lines(std::span<const ModelProfile> profiles, GroupBy by);

// All nodes ("layers") and all groups ("types", "stages", "blocks").
nlohmann::json to_json(const ModelProfile& profile);
// {"profiles": [...], "comparison": {"by", "lines": [{"name", "median_us": [...], "ratio": [...]}]}}; ratios to the
// first profile.
nlohmann::json comparison_json(std::span<const ModelProfile> profiles, GroupBy by);

// A row a line and profile, under a header.
std::string profile_csv(std::span<const ModelProfile> profiles, GroupBy by);

// One self-contained page of one or several profiles.
std::string profile_page(std::span<const ModelProfile> profiles);

}  // namespace tessera
