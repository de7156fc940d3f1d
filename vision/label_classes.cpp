#include "vision/label_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/error.h"
#include "vision/label_files.h"
#include "vision/labels.h"

namespace tessera {

namespace {

constexpr const char* kChoose = "--label-numbers names or --label-numbers indices says which";

std::set<std::string> numbers_among(const std::set<std::string>& labels) {
  std::set<std::string> numbers;
  int ignored = 0;
  for (const std::string& label : labels) {
    if (parse_class(label, ignored)) numbers.insert(label);
  }
  return numbers;
}

class Reader {
 public:
  Reader(const std::set<std::string>& labels, const ClassNames& names, LabelsFrom from, const std::string& where)
      : labels_(labels), names_(names), from_(from), where_(where) {}

  // -1 where no class has the name.
  int by_name(const std::string& label) const {
    const std::vector<int> found = names_.find(label);
    if (found.size() < 2) return found.empty() ? -1 : found.front();
    throw InputError(fmt::format("{}: '{}' may be class {} or class {}; name it by {}", where_, label,
                                 names_.describe(found[0]), names_.describe(found[1]),
                                 names_.is_imagenet() ? "its wnid, or give --labels" : "--labels"));
  }
  int by_index(const std::string& label) const {
    int index = -1;
    parse_class(label, index);
    check_class(index, names_.size(), where_);
    return index;
  }
  // The label's place among all labels, as torchvision's ImageFolder numbers folders; -1 unless there are as many
  // labels as classes.
  int by_order(const std::string& label) const {
    if (labels_.size() != static_cast<std::size_t>(names_.size())) return -1;
    return static_cast<int>(std::distance(labels_.begin(), labels_.find(label)));
  }
  int as_name(const std::string& label) const {
    return names_.has_names() || names_.is_imagenet() ? by_name(label) : by_order(label);
  }

  // The first number for which the two readings differ.
  std::optional<std::string> ambiguous(const std::set<std::string>& numbers) const {
    for (const std::string& label : numbers) {
      int index = -1;
      parse_class(label, index);
      if (as_name(label) != index) return label;
    }
    return std::nullopt;
  }
  [[noreturn]] void refuse(const std::string& label) const {
    const int named = as_name(label);
    int index = -1;
    parse_class(label, index);
    const std::string as_index =
        index >= 0 && index < names_.size() ? "class " + names_.describe(index) : "beyond the models' classes";
    const std::string as_named = named < 0 ? "no class" : "class " + names_.describe(named);
    throw InputError(fmt::format("{}: the label '{}' can be read in two ways: as a name it is {}, as an index {}; {}",
                                 where_, label, as_named, as_index, kChoose));
  }
  [[noreturn]] void refuse_bare(const std::string& label) const {
    throw InputError(
        fmt::format("{}: labels are numbers ('{}') and the models' classes have names ({}); --label-numbers indices "
                    "takes them for indices, {} for class {}",
                    where_, label, names_.first(), label, index_text(label)));
  }

  bool any_name(const std::set<std::string>& numbers) const {
    for (const std::string& label : numbers) {
      if (!names_.find(label).empty()) return true;
    }
    return false;
  }

  // Finds out how to read the numbers where the user has not said it. Throws InputError.
  LabelNumbers find_out(const std::set<std::string>& numbers) const {
    if (from_ == LabelsFrom::kIndexList) return LabelNumbers::kIndices;
    if (from_ == LabelsFrom::kFolders && (names_.has_names() || names_.is_imagenet())) return LabelNumbers::kNames;
    const bool named = names_.has_names() && any_name(numbers);
    const bool ordered = !names_.has_names() && from_ == LabelsFrom::kFolders && by_order(*numbers.begin()) >= 0;
    if (named || ordered) {
      if (const std::optional<std::string> label = ambiguous(numbers)) refuse(*label);
    } else if (names_.has_names() && from_ == LabelsFrom::kList) {
      refuse_bare(*numbers.begin());
    }
    return LabelNumbers::kIndices;
  }

 private:
  std::string index_text(const std::string& label) const {
    int index = -1;
    parse_class(label, index);
    return index >= 0 && index < names_.size() ? names_.describe(index) : label + ", which there is not";
  }

  const std::set<std::string>& labels_;
  const ClassNames& names_;
  LabelsFrom from_;
  const std::string& where_;
};

// Other names that ImageNet has for a class, beside its wnid and label.
void note_synonyms(const LabelClasses& found, const ClassNames& names, std::vector<std::string>& notes) {
  std::string first;
  int count = 0;
  for (const auto& [label, index] : found.classes) {
    int number = 0;
    if (index < 0 || parse_class(label, number) || !names.find_own(label).empty()) continue;
    if (names.is_imagenet() && imagenet_classes()[static_cast<std::size_t>(index)].label == label) continue;
    if (++count == 1) first = fmt::format("'{}' is class {}", label, names.describe(index));
  }
  if (count > 0)
    notes.push_back(
        fmt::format("{} label(s) are another name of their class: {}{}", count, first, count > 1 ? ", ..." : ""));
}

}  // namespace

LabelNumbers label_numbers_from_string(std::string_view name) {
  if (name == "auto") return LabelNumbers::kUnsaid;
  if (name == "names") return LabelNumbers::kNames;
  if (name == "indices") return LabelNumbers::kIndices;
  throw UsageError("--label-numbers '" + std::string(name) + "': known: auto, names, indices");
}

LabelClasses classes_of_labels(const std::set<std::string>& labels, const ClassNames& names, LabelNumbers numbers,
                               LabelsFrom from, const std::string& where) {
  const Reader reader(labels, names, from, where);
  const std::set<std::string> numeric = numbers_among(labels);
  if (numbers == LabelNumbers::kUnsaid && !numeric.empty()) numbers = reader.find_out(numeric);
  LabelClasses found;
  for (const std::string& label : labels) {
    if (!numeric.contains(label)) {
      found.classes[label] = reader.by_name(label);
    } else {
      found.classes[label] = numbers == LabelNumbers::kIndices ? reader.by_index(label) : reader.as_name(label);
    }
  }
  if (!numeric.empty() && numbers == LabelNumbers::kIndices &&
      (from == LabelsFrom::kFolders || from == LabelsFrom::kList)) {
    found.notes.push_back(fmt::format("Labels that are numbers are taken for indices of classes: '{}' is class {}",
                                      *numeric.begin(), names.describe(found.classes[*numeric.begin()])));
  }
  const bool any_name = std::ranges::any_of(
      found.classes, [&](const auto& label) { return label.second >= 0 && !numeric.contains(label.first); });
  if (any_name && names.is_imagenet() && !names.has_names()) {
    found.notes.push_back("The models' 1000 classes have no names; they are taken for ImageNet's");
  }
  note_synonyms(found, names, found.notes);
  return found;
}

}  // namespace tessera
