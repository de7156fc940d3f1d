#include "vision/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "vision/labels.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

bool is_picture_name(const fs::path& path) {
  constexpr std::array<std::string_view, 3> kEndings{".jpeg", ".jpg", ".png"};
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  if (error) throw InputError(folder.string() + ": cannot be read (" + error.message() + ")");
  std::ranges::sort(entries);
  return entries;
}

// A list or label file, which no tar of pictures is taken for.
std::string read_text(const fs::path& path) {
  std::string text = read_file(path, std::uintmax_t{256} << 20);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // a byte order mark, as spreadsheets write it
  return text;
}

bool parse_index(std::string_view text, int& index) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size();
}

void check_range(std::int64_t label, int classes, const std::string& where) {
  const std::int64_t largest = classes > 0 ? classes - 1 : std::numeric_limits<int>::max();
  if (label < 0 || label > largest) {
    throw InputError(fmt::format("{}: class {} is out of range; the classes are 0 to {}", where, label, largest));
  }
}

// One line "a,b" with optional double quotes around a.
bool split_line(std::string_view line, std::string& first, std::string& second) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::size_t comma = std::string_view::npos;
  if (!line.empty() && line.front() == '"') {
    const std::size_t close = line.find("\",", 1);
    if (close == std::string_view::npos) return false;
    first = line.substr(1, close - 1);
    comma = close + 1;
  } else {
    comma = line.find(',');
    if (comma == std::string_view::npos) return false;
    first = line.substr(0, comma);
  }
  second = line.substr(comma + 1);
  return !first.empty() && !second.empty() && second.find(',') == std::string::npos;
}

// Calls entry(first, second) for each line of a two-column CSV; a first line that `entry` refuses by returning false
// is a header, unless it names a picture.
template <class Entry>
void for_each_line(const fs::path& path, const Entry& entry) {
  std::istringstream text(read_text(path));
  std::string line, first, second;
  for (int number = 1; std::getline(text, line); ++number) {
    if (line.empty() || line == "\r") continue;
    if (!split_line(line, first, second) || !entry(first, second)) {
      if (number == 1 && !is_picture_name(first)) continue;
      throw InputError(fmt::format("{}:{}: expected two columns, a name and a class, found '{}'", path.string(), number,
                                   line.substr(0, 100)));
    }
  }
}

Dataset open_list(const fs::path& path, const DatasetOptions& options) {
  Dataset dataset;
  for_each_line(path, [&](const std::string& file, const std::string& label) {
    Sample sample{.path = fs::path(file).is_absolute() ? fs::path(file) : path.parent_path() / file,
                  .name = fs::path(file).filename().string(),
                  .folder = "",
                  .label = imagenet_index(label)};
    if (sample.label >= 0) {
      sample.folder = label;
    } else if (!parse_index(label, sample.label)) {
      return false;
    }
    check_range(sample.label, options.classes, path.string() + ": " + file);
    dataset.samples.push_back(std::move(sample));
    return true;
  });
  return dataset;
}

Dataset open_folders(const fs::path& path, const DatasetOptions& options) {
  std::map<std::string, int> labels;
  if (options.labels) labels = read_label_file(*options.labels, options.classes);
  Dataset dataset;
  std::vector<std::string> unknown;
  std::size_t left_out = 0;
  for (const fs::path& folder : sorted_entries(path)) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;
    const std::string name = folder.filename().string();
    int label = -1;
    if (!options.labels) {
      label = imagenet_index(name);
    } else if (const auto found = labels.find(name); found != labels.end()) {
      label = found->second;
    }
    const std::vector<fs::path> pictures = pictures_in(folder);
    if (label < 0 && !pictures.empty()) {
      unknown.push_back(name);
      left_out += pictures.size();
      continue;
    }
    for (const fs::path& picture : pictures) {
      dataset.samples.push_back({picture, picture.filename().string(), name, label});
    }
  }
  if (!unknown.empty()) {
    constexpr std::size_t kNamed = 10;
    const std::size_t named = std::min(kNamed, unknown.size());
    dataset.notes.push_back(
        fmt::format("{} picture(s) in {} folder(s) left out: no class is known for {}{}", left_out, unknown.size(),
                    fmt::join(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(named), ", "),
                    named < unknown.size() ? ", ..." : ""));
  }
  return dataset;
}

}  // namespace

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> pictures = sorted_entries(folder);
  std::erase_if(pictures, [](const fs::path& file) { return !is_picture_name(file); });
  return pictures;
}

std::vector<fs::path> pictures_under(const fs::path& folder) {
  std::vector<fs::path> pictures = pictures_in(folder);
  for (const fs::path& entry : sorted_entries(folder)) {
    std::error_code error;
    if (!fs::is_directory(entry, error)) continue;
    const std::vector<fs::path> inner = pictures_in(entry);
    pictures.insert(pictures.end(), inner.begin(), inner.end());
  }
  if (pictures.empty()) throw InputError(folder.string() + ": no pictures (.jpeg, .jpg or .png) in it or its folders");
  return pictures;
}

std::map<std::string, int> read_label_file(const fs::path& path, int classes) {
  std::map<std::string, int> labels;
  const auto put = [&](const std::string& folder, std::int64_t label) {
    check_range(label, classes, path.string() + ": " + folder);
    if (!labels.emplace(folder, static_cast<int>(label)).second)
      throw InputError(path.string() + ": '" + folder + "' stands twice");
  };
  if (path.extension() == ".json") {
    const auto json = parse_json(read_text(path));
    if (!json.is_object()) throw InputError(path.string() + ": expected a JSON object {\"folder\": index}");
    for (const auto& [folder, label] : json.items()) {
      if (!label.is_number_integer()) throw InputError(path.string() + ": the class of '" + folder + "' is no integer");
      put(folder, label.get<std::int64_t>());
    }
  } else {
    for_each_line(path, [&](const std::string& folder, const std::string& text) {
      int label = 0;
      if (!parse_index(text, label)) return false;
      put(folder, label);
      return true;
    });
  }
  if (labels.empty()) throw InputError(path.string() + ": names no class");
  return labels;
}

Dataset open_dataset(const fs::path& path, const DatasetOptions& options) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw InputError(path.string() + ": no such file or folder");
  Dataset dataset = fs::is_directory(status) ? open_folders(path, options) : open_list(path, options);
  if (dataset.samples.empty()) {
    std::string message = path.string() +
                          ": no labelled pictures; expected folders named by ImageNet wnid (n01440764), "
                          "any folders with --labels, or a CSV list 'path,label'";
    for (const std::string& note : dataset.notes) message += "\n  " + note;
    throw InputError(message);
  }
  const auto limit = static_cast<std::size_t>(options.limit);
  if (limit > 0 && limit < dataset.samples.size()) dataset.samples.resize(limit);
  return dataset;
}

}  // namespace tessera
