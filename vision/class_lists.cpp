#include "vision/class_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "vision/class_names.h"

namespace tessera {

namespace {

ClassNames class_names_of(const ClassList& list) { return {names_of(list.labels), list.classes}; }

// The name by which to look up a class in another list: unlike a label, a wnid belongs to one class only.
std::string telling_name(const ClassList& list, const ClassNames& names, int index) {
  const auto at = static_cast<std::size_t>(index);
  return names.is_imagenet() ? std::string(imagenet_classes()[at].wnid) : list.labels.name(index);
}

// "'a', 'b', ... (7)".
std::string first_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    text += (i == 0 ? "'" : ", '") + names[i] + "'";
  }
  return text + (names.size() > kShown ? fmt::format(", ... ({})", names.size()) : "");
}

// The classes of `list` that match no class of `other`, or several.
std::vector<std::string> missing(const ClassList& list, const ClassList& other) {
  const ClassNames names = class_names_of(list), others = class_names_of(other);
  std::vector<std::string> left;
  for (int i = 0; i < list.classes; ++i) {
    if (others.find(telling_name(list, names, i)).size() != 1) left.push_back(list.labels.name(i));
  }
  return left;
}

// What is only in one of the two lists, and what to do.
std::string difference(const ClassList& first, const ClassList& list) {
  const std::vector<std::string> only_first = missing(first, list), only_here = missing(list, first);
  std::string text;
  if (!only_here.empty())
    text += fmt::format(" {} has {} that {} has not once;", list.model, first_of(only_here), first.model);
  if (!only_first.empty())
    text += fmt::format(" {} has {} that {} has not once;", first.model, first_of(only_first), list.model);
  return text +
         " models are compared on the same classes, each named alike and once: compare each with models of its "
         "own classes, or fit a head for the same classes to both (`tessera probe --data FOLDER --model NAME -o "
         "FILE.h5`)";
}

[[noreturn]] void refuse(const ClassList& first, const ClassList& list) {
  throw UsageError(
      fmt::format("the classes of {} are not those of {}:{}", list.model, first.model, difference(first, list)));
}

// The index in `first` of each class of `list`; empty where both have the same order.
std::vector<int> places_of(const ClassList& first, const ClassList& list) {
  const ClassNames here = class_names_of(list), there = class_names_of(first);
  if (names_of(first.labels) == names_of(list.labels) || (here.is_imagenet() && there.is_imagenet())) return {};
  std::vector<int> places;
  std::vector<bool> taken(static_cast<std::size_t>(first.classes));
  for (int i = 0; i < list.classes; ++i) {
    const std::vector<int> found = there.find(telling_name(list, here, i));
    if (found.size() != 1 || taken[static_cast<std::size_t>(found.front())]) refuse(first, list);
    taken[static_cast<std::size_t>(found.front())] = true;
    places.push_back(found.front());
  }
  return std::ranges::is_sorted(places) ? std::vector<int>() : places;
}

void refuse_other_count(const ClassList& first, const ClassList& list) {
  if (first.classes == list.classes) return;
  const bool named = first.labels.size() > 0 && list.labels.size() > 0;
  throw UsageError(fmt::format("{} has {} classes, {} has {} ({}; {}){}", list.model, list.classes, first.model,
                               first.classes, class_names_of(list).first(), class_names_of(first).first(),
                               named ? ":" + difference(first, list) : ""));
}

std::string note_of_map(const ClassList& first, const ClassList& list, const std::vector<int>& places) {
  const auto other = std::ranges::find_if(places, [&, i = 0](int place) mutable { return place != i++; });
  const auto at = static_cast<int>(other - places.begin());
  return fmt::format(
      "{} has the classes of {} in another order; they are matched by name ('{}' is {} there, {} here), "
      "and indices are those of {}",
      list.model, first.model, list.labels.name(at), *other, at, first.model);
}

std::string note_of_trust(const ClassList& first, const ClassList& list) {
  return fmt::format("{} has no names of its {} classes; they are taken to be those of {}, in that order", list.model,
                     list.classes, first.model);
}

}  // namespace

CommonClasses common_classes(std::span<const ClassList> lists) {
  const auto named = std::ranges::find_if(lists, [](const ClassList& list) { return list.labels.size() > 0; });
  const ClassList& first = named == lists.end() ? lists.front() : *named;
  CommonClasses common{.labels = first.labels, .classes = first.classes, .places = {}, .notes = {}};
  for (const ClassList& list : lists) {
    refuse_other_count(first, list);
    std::vector<int>& places = common.places.emplace_back();
    if (list.labels.size() > 0) {
      places = places_of(first, list);
      if (!places.empty()) common.notes.push_back(note_of_map(first, list, places));
    } else if (first.labels.size() > 0) {
      common.notes.push_back(note_of_trust(first, list));
    }
  }
  return common;
}

}  // namespace tessera
