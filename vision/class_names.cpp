#include "vision/class_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "vision/label_files.h"
#include "vision/labels.h"

namespace tessera {

namespace {

bool in_imagenet_order(const std::vector<std::string>& names) {
  if (names.size() != imagenet_classes().size()) return false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_imagenet_name(names[i], static_cast<int>(i))) return false;
  }
  return true;
}

// "golden retriever" of "Golden_Retriever".
std::string plain(std::string name) {
  for (char& c : name) {
    c = c == '_' || c == '-' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

std::vector<std::string> names_of_imagenet() {
  std::vector<std::string> names;
  for (const ImageNetClass& of_class : imagenet_classes()) {
    for (const std::string_view name : imagenet_names(of_class)) names.emplace_back(name);
    names.emplace_back(of_class.wnid);
  }
  return names;
}

}  // namespace

ClassNames::ClassNames(std::vector<std::string> names, int classes) : names_(std::move(names)), classes_(classes) {
  if (!names_.empty() && names_.size() != static_cast<std::size_t>(classes)) {
    throw InternalError(fmt::format("{} names for {} classes", names_.size(), classes));
  }
  imagenet_ =
      names_.empty() ? static_cast<std::size_t>(classes) == imagenet_classes().size() : in_imagenet_order(names_);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    by_name_[names_[i]].push_back(static_cast<int>(i));
    const std::vector<int> named = imagenet_ ? std::vector<int>() : imagenet_classes_named(names_[i]);
    if (named.size() == 1) by_imagenet_class_[named.front()].push_back(static_cast<int>(i));
  }
}

std::vector<int> ClassNames::find(const std::string& name) const {
  if (imagenet_) return imagenet_classes_named(name);
  if (const auto own = by_name_.find(name); own != by_name_.end()) return own->second;
  const std::vector<int> named = imagenet_classes_named(name);
  if (named.size() != 1) return {};
  const auto found = by_imagenet_class_.find(named.front());
  return found == by_imagenet_class_.end() ? std::vector<int>() : found->second;
}

std::vector<int> ClassNames::find_own(const std::string& name) const {
  if (imagenet_) return imagenet_index(name) < 0 ? std::vector<int>() : std::vector<int>{imagenet_index(name)};
  const auto own = by_name_.find(name);
  return own == by_name_.end() ? std::vector<int>() : own->second;
}

std::string ClassNames::describe(int index) const {
  const auto at = static_cast<std::size_t>(index);
  if (imagenet_) {
    return fmt::format("{}, '{}' ({})", index, imagenet_classes()[at].label, imagenet_classes()[at].wnid);
  }
  return names_.empty() ? std::to_string(index) : fmt::format("{}, '{}'", index, names_[at]);
}

std::string ClassNames::first() const {
  constexpr int kShown = 5;
  if (names_.empty() && !imagenet_) return fmt::format("{} without names", classes_);
  std::string text;
  for (int i = 0; i < std::min(kShown, classes_); ++i) {
    const auto at = static_cast<std::size_t>(i);
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ",
                        imagenet_ ? imagenet_names(imagenet_classes()[at]).front() : names_[at]);
  }
  return text + (classes_ > kShown ? fmt::format(", ... ({} classes)", classes_) : "");
}

std::string ClassNames::suggestion(const std::string& name) const {
  // Every short name is near to a number, so none is suggested.
  if (int number = 0; parse_class(name, number)) {
    return "; --labels FILE says what a number means, --label-numbers indices that it is the class's index";
  }
  const std::vector<std::string> known = imagenet_ ? names_of_imagenet() : names_;
  for (const std::string& other : known) {
    if (plain(other) == plain(name)) return "; did you mean '" + other + "'?";
  }
  return did_you_mean(name, known);
}

}  // namespace tessera
