#include "vision/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "vision/class_names.h"
#include "vision/label_classes.h"
#include "vision/label_files.h"
#include "vision/picture_files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

ClassNames names_of(const DatasetOptions& options) {
  constexpr int kUnchecked = std::numeric_limits<int>::max();
  const int named = options.class_names.empty() ? kUnchecked : static_cast<int>(options.class_names.size());
  return {options.class_names, options.classes > 0 ? options.classes : named};
}

// The label file gives the class of each folder. It must not give a folder with the name of one class another class.
void refuse_contradiction(const fs::path& path, const std::string& label, int index, const ClassNames& names) {
  const std::vector<int> own = names.find_own(label);
  if (own.empty() || std::ranges::count(own, index) > 0) return;
  throw InputError(fmt::format("{}: says that '{}' is class {}, but the models' class of that name is {}",
                               path.string(), label, names.describe(index), names.describe(own.front())));
}

// The classes of the labels, from the label file where there is one.
LabelClasses classes_of(const std::set<std::string>& labels, LabelsFrom from, const DatasetOptions& options,
                        const std::string& where) {
  const ClassNames names = names_of(options);
  if (!options.labels || from == LabelsFrom::kTruth) {
    return classes_of_labels(labels, names, options.label_numbers, from, where);
  }
  const std::map<std::string, int> file = read_label_file(*options.labels, options.classes);
  LabelClasses found;
  for (const std::string& label : labels) {
    const auto said = file.find(label);
    found.classes[label] = said == file.end() ? -1 : said->second;
    if (said != file.end()) refuse_contradiction(*options.labels, label, said->second, names);
  }
  return found;
}

struct ListedPicture {
  std::size_t row = 0;
  std::string file, label;
};

// A list's pictures, and the name of the column of labels in its header, or "".
struct PictureList {
  std::vector<ListedPicture> pictures;
  std::string column;
};

PictureList read_list(const fs::path& path) {
  PictureList list;
  list.column = for_each_pair(path, [&](const std::string& file, const std::string& label) {
    list.pictures.push_back({list.pictures.size() + 1, file, label});
    return true;
  });
  if (list.column.empty()) return list;
  for (ListedPicture& picture : list.pictures) ++picture.row;  // the header is the first
  return list;
}

// By this column name the user says that it holds indices.
bool names_indices(const std::string& column) {
  for (const char* name : {"index", "class_index", "class_idx", "label_index", "gt_idx"}) {
    if (column == name) return true;
  }
  return false;
}

// A picture that a list names twice must have the same class both times; a note says that it counts twice.
void expect_one_class_each(const fs::path& path, const PictureList& list, Dataset& dataset) {
  std::map<std::string, std::size_t> first;  // the row of each
  std::size_t again = 0;
  std::string which;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const Sample& sample = dataset.samples[i];
    const auto [there, is_new] = first.emplace(sample.path.lexically_normal().string(), i);
    if (is_new) continue;
    if (again++ == 0) which = list.pictures[i].file;
    if (dataset.samples[there->second].label == sample.label) continue;
    throw InputError(fmt::format("{}: row {}: '{}' is of the class '{}', but in row {} of '{}'", path.string(),
                                 list.pictures[i].row, list.pictures[i].file, list.pictures[i].label,
                                 list.pictures[there->second].row, list.pictures[there->second].label));
  }
  if (again == 0) return;
  dataset.notes.push_back(fmt::format("{} row(s) name a picture again ({}{}); each counts as often as it stands", again,
                                      which, again > 1 ? ", ..." : ""));
}

Dataset open_list(const fs::path& path, const DatasetOptions& options) {
  const PictureList list = read_list(path);
  std::set<std::string> labels;
  for (const ListedPicture& picture : list.pictures) labels.insert(picture.label);
  const LabelsFrom from = names_indices(list.column) ? LabelsFrom::kIndexList : LabelsFrom::kList;
  const LabelClasses found = classes_of(labels, from, options, path.string());
  Dataset dataset{.samples = {}, .notes = found.notes, .sample = {}};
  for (const ListedPicture& picture : list.pictures) {
    Sample& sample = dataset.samples.emplace_back(listed(path, picture.file, picture.label));
    sample.label = found.classes.at(picture.label);
    if (sample.label >= 0) continue;
    const ClassNames names = names_of(options);
    throw InputError(fmt::format("{}: row {}: '{}' is no class of {}{}{}", path.string(), picture.row,
                                 picture.label.substr(0, 100),
                                 options.labels ? options.labels->string() : "the models (" + names.first() + ")",
                                 options.labels ? "" : names.suggestion(picture.label),
                                 picture.row == 1 ? "; a header has words such as path,label" : ""));
  }
  expect_one_class_each(path, list, dataset);
  return dataset;
}

// "a, b, c, ..."
std::string first_of(const std::set<std::string>& names) {
  constexpr std::size_t kNamed = 10;
  const auto end = std::next(names.begin(), static_cast<std::ptrdiff_t>(std::min(kNamed, names.size())));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), names.size() > kNamed ? ", ..." : "");
}

void add_labelled_folders(std::vector<Sample> pictures, const DatasetOptions& options, const std::string& where,
                          Dataset& dataset) {
  std::set<std::string> folders, unknown;
  for (const Sample& sample : pictures) folders.insert(sample.folder);
  if (folders.empty()) return;
  const LabelClasses found = classes_of(folders, LabelsFrom::kFolders, options, where);
  std::size_t left_out = 0;
  for (Sample& sample : pictures) {
    sample.label = found.classes.at(sample.folder);
    if (sample.label < 0) {
      unknown.insert(sample.folder);
      ++left_out;
    } else {
      dataset.samples.push_back(std::move(sample));
    }
  }
  dataset.notes.insert(dataset.notes.end(), found.notes.begin(), found.notes.end());
  if (unknown.empty()) return;
  dataset.notes.push_back(fmt::format("{} picture(s) in {} folder(s) left out: no class is known for {}{}", left_out,
                                      unknown.size(), first_of(unknown),
                                      options.labels ? "" : names_of(options).suggestion(*unknown.begin())));
}

void add_loose(std::vector<Sample> pictures, const DatasetOptions& options, Dataset& dataset) {
  if (pictures.empty()) return;
  if (!options.ground_truth) {
    dataset.notes.push_back(
        fmt::format("{} picture(s) in no class folder left out: {}{}; --ground-truth FILE would "
                    "name their classes",
                    pictures.size(), pictures.front().name, pictures.size() > 1 ? ", ..." : ""));
    return;
  }
  std::vector<std::string> names;
  names.reserve(pictures.size());
  for (const Sample& sample : pictures) names.push_back(sample.name);
  const ClassNames classes = names_of(options);
  const std::vector<std::string> labels =
      read_ground_truth(*options.ground_truth, names, options.classes,
                        [&](const std::string& label) { return !classes.find(label).empty(); });
  const LabelClasses found =
      classes_of({labels.begin(), labels.end()}, LabelsFrom::kTruth, options, options.ground_truth->string());
  dataset.notes.insert(dataset.notes.end(), found.notes.begin(), found.notes.end());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    pictures[i].label = found.classes.at(labels[i]);
    dataset.samples.push_back(std::move(pictures[i]));
  }
}

Dataset label(Pictures pictures, const DatasetOptions& options, const std::string& where) {
  Dataset dataset{.samples = {}, .notes = std::move(pictures.notes)};
  if (options.ground_truth && pictures.loose.empty()) {
    throw InputError(options.ground_truth->string() + ": is for pictures in no class folder, and there are none");
  }
  add_labelled_folders(std::move(pictures.in_folders), options, where, dataset);
  add_loose(std::move(pictures.loose), options, dataset);
  return dataset;
}

Dataset open_any(const fs::path& path, const DatasetOptions& options) {
  const Place place = place_of(path);
  return place.kind == Place::Kind::kList ? open_list(place.file, options)
                                          : label(pictures_at(place), options, path.string());
}

// "0", "1", ... up to the largest; none may be missing.
std::vector<std::string> numbered(const std::set<int>& numbers, const fs::path& path) {
  std::vector<std::string> names;
  for (const int number : numbers) {
    if (number != static_cast<int>(names.size())) {
      throw InputError(fmt::format("{}: no picture of class {}, though there is a class {}", path.string(),
                                   names.size(), *numbers.rbegin()));
    }
    names.push_back(std::to_string(number));
  }
  return names;
}

std::vector<std::string> classes_of_list(const fs::path& path) {
  std::set<std::string> names;
  std::set<int> numbers;
  for_each_pair(path, [&](const std::string& file, const std::string& label) {
    if (label.empty()) return false;
    int number = 0;
    if (!parse_class(label, number)) {
      names.insert(label);
    } else {
      check_class(number, 0, path.string() + ": " + file);
      numbers.insert(number);
    }
    return true;
  });
  if (!names.empty() && !numbers.empty()) {
    throw InputError(fmt::format("{}: some labels are numbers ({}) and some are names ({})", path.string(),
                                 *numbers.begin(), *names.begin()));
  }
  return names.empty() ? numbered(numbers, path) : std::vector<std::string>(names.begin(), names.end());
}

std::vector<std::string> classes_of_label_file(const fs::path& path) {
  std::map<int, std::string> first_folder;
  for (const auto& [folder, label] : read_label_file(path, 0)) first_folder.emplace(label, folder);
  std::vector<std::string> names;
  for (const auto& [label, folder] : first_folder) {
    if (label != static_cast<int>(names.size())) {
      throw InputError(fmt::format("{}: no folder of class {}, though there is a class {}", path.string(), names.size(),
                                   first_folder.rbegin()->first));
    }
    names.push_back(folder);
  }
  return names;
}

std::vector<int> labels_of(const std::vector<Sample>& samples) {
  std::vector<int> labels;
  labels.reserve(samples.size());
  for (const Sample& sample : samples) labels.push_back(sample.label);
  return labels;
}

// The numbers of the first `most` pictures of each class.
std::vector<std::size_t> first_per_class(std::span<const int> labels, std::int64_t most) {
  std::map<int, std::int64_t> seen;
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (++seen[labels[i]] <= most) taken.push_back(i);
  }
  return taken;
}

void keep(std::vector<Sample>& samples, const std::vector<std::size_t>& numbers) {
  std::vector<Sample> kept;
  kept.reserve(numbers.size());
  for (const std::size_t number : numbers) kept.push_back(std::move(samples[number]));
  samples = std::move(kept);
}

std::int64_t count_classes(const std::vector<Sample>& samples) {
  std::set<int> labels;
  for (const Sample& sample : samples) labels.insert(sample.label);
  return static_cast<std::int64_t>(labels.size());
}

// The pictures that the options' limits select.
void take_sample(Dataset& dataset, const DatasetOptions& options) {
  const auto all = static_cast<std::int64_t>(dataset.samples.size());
  const std::int64_t classes = count_classes(dataset.samples);
  const bool spread = options.limit_order == LimitOrder::kSpread;
  if (options.per_class > 0) {
    const std::vector<int> labels = labels_of(dataset.samples);
    keep(dataset.samples, spread ? draw_per_class(labels, static_cast<std::size_t>(options.per_class), options.seed)
                                 : first_per_class(labels, options.per_class));
  }
  const auto limit = static_cast<std::size_t>(options.limit);
  if (limit > 0 && limit < dataset.samples.size()) {
    if (spread) {
      keep(dataset.samples, draw_spread(labels_of(dataset.samples), limit, options.seed));
    } else {
      dataset.samples.resize(limit);
    }
  }
  if (static_cast<std::int64_t>(dataset.samples.size()) == all) return;
  dataset.sample = {.taken = static_cast<std::int64_t>(dataset.samples.size()),
                    .of = all,
                    .classes = count_classes(dataset.samples),
                    .of_classes = classes,
                    .order = options.limit_order,
                    .seed = options.seed};
}

}  // namespace

std::vector<std::string> classes_of_data(const fs::path& path, const std::optional<fs::path>& labels) {
  const Place place = place_of(path);
  if (labels) return classes_of_label_file(*labels);
  if (place.kind == Place::Kind::kList) return classes_of_list(place.file);
  std::set<std::string> names;
  for (const Sample& sample : pictures_at(place).in_folders) names.insert(sample.folder);
  if (names.empty()) throw InputError(path.string() + ": no class folders with pictures in it");
  return {names.begin(), names.end()};
}

Dataset open_dataset(const fs::path& path, const DatasetOptions& options) {
  Dataset dataset = open_any(path, options);
  if (dataset.samples.empty()) {
    std::string message = fmt::format(
        "{}: no labelled pictures; expected folders named by the models' classes ({}){}, any folders with --labels, "
        "pictures with --ground-truth, a tar archive of such, or a CSV list 'path,label'",
        path.string(), names_of(options).first(), names_of(options).is_imagenet() ? " or their wnids (n01440764)" : "");
    for (const std::string& note : dataset.notes) message += "\n  " + note;
    throw InputError(message);
  }
  take_sample(dataset, options);
  return dataset;
}

}  // namespace tessera
