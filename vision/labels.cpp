#include "vision/labels.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

constexpr std::array<ImageNetClass, 1000> kClasses{{
#include "vision/imagenet_classes.inc"
}};
static_assert(std::ranges::is_sorted(kClasses, {}, &ImageNetClass::wnid));

constexpr std::string_view kImageNetName = "imagenet-1k";

// Classes by name: by their labels and those labels' beginnings, and by all other names.
struct NamesOfImageNet {
  std::map<std::string, std::vector<int>> first, other;
};

NamesOfImageNet collect_names() {
  NamesOfImageNet found;
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    const int index = static_cast<int>(i);
    const std::vector<std::string_view> names = imagenet_names(kClasses[i]);
    found.first[std::string(kClasses[i].label)].push_back(index);
    if (names.size() > 1) found.first[std::string(names.front())].push_back(index);
    for (std::size_t n = 1; n < names.size(); ++n) found.other[std::string(names[n])].push_back(index);
  }
  return found;
}

}  // namespace

std::span<const ImageNetClass> imagenet_classes() { return kClasses; }

int imagenet_index(std::string_view wnid) {
  const auto found = std::ranges::lower_bound(kClasses, wnid, {}, &ImageNetClass::wnid);
  return found != kClasses.end() && found->wnid == wnid ? static_cast<int>(found - kClasses.begin()) : -1;
}

std::vector<std::string_view> imagenet_names(const ImageNetClass& of_class) {
  constexpr std::string_view kBetween = ", ";
  std::vector<std::string_view> names;
  std::string_view rest = of_class.label;
  for (std::size_t end = 0; (end = rest.find(kBetween)) != std::string_view::npos;) {
    names.push_back(rest.substr(0, end));
    rest.remove_prefix(end + kBetween.size());
  }
  names.push_back(rest);
  return names;
}

std::vector<int> imagenet_classes_named(const std::string& name) {
  if (const int index = imagenet_index(name); index >= 0) return {index};
  static const NamesOfImageNet names = collect_names();
  for (const auto* of : {&names.first, &names.other}) {
    if (const auto found = of->find(name); found != of->end()) return found->second;
  }
  return {};
}

bool is_imagenet_name(std::string_view name, int index) {
  const ImageNetClass& of_class = kClasses[static_cast<std::size_t>(index)];
  return name == of_class.wnid || name == of_class.label || std::ranges::count(imagenet_names(of_class), name) > 0;
}

LabelSet LabelSet::imagenet_1k() {
  LabelSet labels;
  labels.imagenet_ = true;
  for (const ImageNetClass& entry : kClasses) labels.names_.emplace_back(entry.label);
  return labels;
}

LabelSet LabelSet::custom(std::vector<std::string> names) {
  LabelSet labels;
  labels.names_ = std::move(names);
  return labels;
}

std::string LabelSet::name(int index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= names_.size()) return "class " + std::to_string(index);
  return names_[static_cast<std::size_t>(index)];
}

std::string_view LabelSet::wnid(int index) const {
  if (!imagenet_ || index < 0 || static_cast<std::size_t>(index) >= kClasses.size()) return "";
  return kClasses[static_cast<std::size_t>(index)].wnid;
}

std::vector<std::string> names_of(const LabelSet& labels) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < labels.size(); ++i) names.push_back(labels.name(static_cast<int>(i)));
  return names;
}

nlohmann::json to_json(const LabelSet& labels) {
  if (labels.is_imagenet()) return kImageNetName;
  if (labels.size() == 0) return nullptr;
  nlohmann::json names = nlohmann::json::array();
  for (std::size_t i = 0; i < labels.size(); ++i) names.push_back(labels.name(static_cast<int>(i)));
  return names;
}

LabelSet label_set_from_json(const nlohmann::json& json) {
  if (json.is_null()) return {};
  if (json == kImageNetName) return LabelSet::imagenet_1k();
  try {
    return LabelSet::custom(json.get<std::vector<std::string>>());
  } catch (const nlohmann::json::exception&) {
    throw UsageError("labels: expected \"imagenet-1k\", a list of names, or null");
  }
}

}  // namespace tessera
