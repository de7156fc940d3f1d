#include "vision/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/error.h"
#include "vision/label_files.h"
#include "vision/labels.h"
#include "vision/picture_files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

// The class of each folder's name: of the label file, or of the model's class names and the wnids.
class FolderClasses {
 public:
  explicit FolderClasses(const DatasetOptions& options) : options_(options) {
    if (options.labels) {
      classes_ = read_label_file(*options.labels, options.classes);
      return;
    }
    std::set<std::string> twice;
    for (std::size_t i = 0; i < options.class_names.size(); ++i) {
      const std::string& name = options.class_names[i];
      if (!classes_.emplace(name, static_cast<int>(i)).second) twice.insert(name);
    }
    for (const std::string& name : twice) classes_.erase(name);
  }
  // -1 where none is known.
  int operator()(const std::string& folder) const {
    const auto found = classes_.find(folder);
    if (found != classes_.end()) return found->second;
    const int label = options_.labels ? -1 : imagenet_index(folder);
    return options_.classes > 0 && label >= options_.classes ? -1 : label;
  }

 private:
  const DatasetOptions& options_;
  std::map<std::string, int> classes_;
};

Dataset open_list(const fs::path& path, const DatasetOptions& options) {
  Dataset dataset;
  const FolderClasses class_of(options);
  for_each_pair(path, [&](const std::string& file, const std::string& label) {
    Sample sample = listed(path, file, label);
    if (!parse_class(label, sample.label)) {
      sample.label = class_of(label);
      if (sample.label < 0) sample.label = imagenet_index(label);  // one beyond the model's classes is refused below
      if (sample.label < 0) return false;
    }
    check_class(sample.label, options.classes, path.string() + ": " + file);
    dataset.samples.push_back(std::move(sample));
    return true;
  });
  return dataset;
}

// "a, b, c, ..."
std::string first_of(const std::set<std::string>& names) {
  constexpr std::size_t kNamed = 10;
  const auto end = std::next(names.begin(), static_cast<std::ptrdiff_t>(std::min(kNamed, names.size())));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), names.size() > kNamed ? ", ..." : "");
}

void add_labelled_folders(std::vector<Sample> pictures, const DatasetOptions& options, Dataset& dataset) {
  const FolderClasses class_of(options);
  std::set<std::string> unknown;
  std::size_t left_out = 0;
  for (Sample& sample : pictures) {
    sample.label = class_of(sample.folder);
    if (sample.label < 0) {
      unknown.insert(sample.folder);
      ++left_out;
    } else {
      dataset.samples.push_back(std::move(sample));
    }
  }
  if (unknown.empty()) return;
  dataset.notes.push_back(fmt::format("{} picture(s) in {} folder(s) left out: no class is known for {}", left_out,
                                      unknown.size(), first_of(unknown)));
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
  const std::vector<int> labels = read_ground_truth(*options.ground_truth, names, options.classes);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    pictures[i].label = labels[i];
    dataset.samples.push_back(std::move(pictures[i]));
  }
}

Dataset label(Pictures pictures, const DatasetOptions& options) {
  Dataset dataset{.samples = {}, .notes = std::move(pictures.notes)};
  if (options.ground_truth && pictures.loose.empty()) {
    throw InputError(options.ground_truth->string() + ": is for pictures in no class folder, and there are none");
  }
  add_labelled_folders(std::move(pictures.in_folders), options, dataset);
  add_loose(std::move(pictures.loose), options, dataset);
  return dataset;
}

Dataset open_any(const fs::path& path, const DatasetOptions& options) {
  const Place place = place_of(path);
  return place.kind == Place::Kind::kList ? open_list(place.file, options) : label(pictures_at(place), options);
}

// "0", "1", ... up to the largest; each must be there.
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

// Of all pictures those that the options' limits leave.
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
    std::string message = path.string() +
                          ": no labelled pictures; expected folders named by ImageNet wnid (n01440764) or by the "
                          "model's classes, any folders with --labels, pictures with --ground-truth, a tar archive of "
                          "such, or a CSV list 'path,label'";
    for (const std::string& note : dataset.notes) message += "\n  " + note;
    throw InputError(message);
  }
  take_sample(dataset, options);
  return dataset;
}

}  // namespace tessera
