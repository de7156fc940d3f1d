#include "evaluation/ready/model_names.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace tessera {

namespace {

std::string file_of(const std::string& source) {
  const std::string file = std::filesystem::path(source).filename().string();
  return file.ends_with(".h5") ? file.substr(0, file.size() - 3) : file;
}

bool all_differ(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

}  // namespace

std::vector<std::string> distinct_names(std::span<const NamedModel> models) {
  std::vector<std::string> names;
  for (const NamedModel& model : models) names.push_back(model.name);
  if (all_differ(names)) return names;
  std::vector<std::string> with_file = names;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const std::string file = file_of(models[i].source);
    if (std::ranges::count(names, names[i]) > 1 && !file.empty()) with_file[i] += " (" + file + ")";
  }
  std::vector<std::string> numbered = with_file;
  for (std::size_t i = 0; i < models.size(); ++i) {
    // A file's name that does not tell these models apart says nothing.
    if (std::ranges::count(with_file, with_file[i]) > 1) numbered[i] = names[i] + " #" + std::to_string(i + 1);
  }
  if (all_differ(numbered)) return numbered;
  for (std::size_t i = 0; i < models.size(); ++i) numbered[i] = names[i] + " #" + std::to_string(i + 1);
  return numbered;
}

std::vector<std::string> names_of_settings(std::span<const NamedModel> models) {
  std::vector<NamedModel> once;
  for (const NamedModel& model : models) {
    if (std::ranges::find(once, model) == once.end()) once.push_back(model);
  }
  const std::vector<std::string> names = distinct_names(once);
  std::vector<std::string> all;
  for (const NamedModel& model : models) {
    all.push_back(names[static_cast<std::size_t>(std::ranges::find(once, model) - once.begin())]);
  }
  return all;
}

std::vector<std::string> short_names(const std::vector<std::string>& names) {
  std::vector<std::string> tails;
  for (const std::string& name : names) {
    const std::size_t slash = name.substr(0, name.find(" (")).rfind('/');
    tails.push_back(slash == std::string::npos || slash + 1 == name.size() ? name : name.substr(slash + 1));
  }
  return all_differ(tails) ? tails : names;
}

}  // namespace tessera
