#include "vision/labels.h"

#include <algorithm>
#include <array>
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

}  // namespace

std::span<const ImageNetClass> imagenet_classes() { return kClasses; }

int imagenet_index(std::string_view wnid) {
  const auto found = std::ranges::lower_bound(kClasses, wnid, {}, &ImageNetClass::wnid);
  return found != kClasses.end() && found->wnid == wnid ? static_cast<int>(found - kClasses.begin()) : -1;
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
