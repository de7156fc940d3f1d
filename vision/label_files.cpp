#include "vision/label_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <sstream>
#include <string_view>

#include "core/csv.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "vision/labels.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

// A label file, which no tar of pictures is taken for.
std::string read_text(const fs::path& path) {
  std::string text = read_file(path, std::uintmax_t{256} << 20);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // a byte order mark, as spreadsheets write it
  return text;
}

// A class by its wnid or its index; -1 for a text that is neither.
int class_of(const std::string& text) {
  int label = imagenet_index(text);
  if (label < 0 && !parse_class(text, label)) return -1;
  return label;
}

struct TruthLine {
  std::size_t number = 0;
  std::string name;  // "" where the file has only classes
  int label = -1;
};

// Words are parted by white space or commas.
std::vector<std::string> words_of(std::string line) {
  std::ranges::replace(line, ',', ' ');
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

std::vector<TruthLine> read_truth_lines(const fs::path& path) {
  std::istringstream text(read_text(path));
  std::vector<TruthLine> lines;
  std::string line;
  for (std::size_t number = 1; std::getline(text, line); ++number) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    const bool named = words.size() > 1;
    const int label = class_of(words[named ? 1 : 0]);
    if (label < 0 && lines.empty() && number == 1 && named && !is_picture_name(words[0])) continue;  // a header
    if (label < 0) {
      throw InputError(
          fmt::format("{}:{}: expected a class (an index or a wnid), with or without a picture's name "
                      "before it, found '{}'",
                      path.string(), number, line.substr(0, 100)));
    }
    lines.push_back({number, named ? words[0] : "", label});
  }
  return lines;
}

void refuse_devkit(const fs::path& path, const std::vector<TruthLine>& lines, int classes) {
  const auto [least, most] = std::ranges::minmax(lines, {}, &TruthLine::label);
  if (least.label != 1 || most.label != classes) return;
  throw InputError(fmt::format(
      "{}: its classes run from 1 to {}, as in ILSVRC2012_validation_ground_truth.txt of the development kit, whose "
      "numbers are not in the order of the wnids that models use; give LOC_val_solution.csv or Caffe's val.txt, or put "
      "the pictures into folders by wnid",
      path.string(), classes));
}

std::vector<int> by_order(const fs::path& path, const std::vector<TruthLine>& lines, std::size_t pictures) {
  if (lines.size() != pictures) {
    throw InputError(fmt::format("{}: has {} classes for {} pictures", path.string(), lines.size(), pictures));
  }
  std::vector<int> labels;
  for (const TruthLine& line : lines) labels.push_back(line.label);
  return labels;
}

std::vector<int> by_name(const fs::path& path, const std::vector<TruthLine>& lines,
                         const std::vector<std::string>& names) {
  std::map<std::string, int> known;
  for (const TruthLine& line : lines) {
    if (!known.emplace(fs::path(line.name).stem().string(), line.label).second) {
      throw InputError(fmt::format("{}:{}: '{}' stands twice", path.string(), line.number, line.name));
    }
  }
  std::vector<int> labels;
  for (const std::string& name : names) {
    const auto found = known.find(fs::path(name).stem().string());
    if (found == known.end()) throw InputError(path.string() + ": gives no class for " + name);
    labels.push_back(found->second);
  }
  return labels;
}

}  // namespace

bool is_picture_name(const fs::path& path) {
  constexpr std::array<std::string_view, 10> kEndings{".jpeg", ".jpg", ".png", ".bmp",  ".gif",
                                                      ".pgm",  ".ppm", ".tif", ".tiff", ".webp"};
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

bool parse_class(std::string_view text, int& label) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  return error == std::errc() && end == text.data() + text.size();
}

void check_class(std::int64_t label, int classes, const std::string& where) {
  const std::int64_t largest = classes > 0 ? classes - 1 : std::numeric_limits<int>::max();
  if (label < 0 || label > largest) {
    throw InputError(fmt::format("{}: class {} is out of range; the classes are 0 to {}", where, label, largest));
  }
}

void for_each_pair(const fs::path& path, FunctionRef<bool(const std::string& first, const std::string& second)> entry) {
  read_csv(path, [&](const CsvRow& row) {
    if (row.fields.size() == 2 && !row.fields[0].empty() && entry(row.fields[0], row.fields[1])) return;
    if (row.number == 1 && !is_picture_name(row.fields[0])) return;
    throw InputError(fmt::format("{}: row {}: expected two columns, a name and a class, found '{}'", path.string(),
                                 row.number, fmt::to_string(fmt::join(row.fields, ",")).substr(0, 100)));
  });
}

std::map<std::string, int> read_label_file(const fs::path& path, int classes) {
  std::map<std::string, int> labels;
  const auto put = [&](const std::string& folder, std::int64_t label) {
    check_class(label, classes, path.string() + ": " + folder);
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
    for_each_pair(path, [&](const std::string& folder, const std::string& text) {
      int label = 0;
      if (!parse_class(text, label)) return false;
      put(folder, label);
      return true;
    });
  }
  if (labels.empty()) throw InputError(path.string() + ": names no class");
  return labels;
}

std::vector<int> read_ground_truth(const fs::path& path, const std::vector<std::string>& names, int classes) {
  const std::vector<TruthLine> lines = read_truth_lines(path);
  if (lines.empty()) throw InputError(path.string() + ": names no class");
  const auto named =
      static_cast<std::size_t>(std::ranges::count_if(lines, [](const TruthLine& line) { return !line.name.empty(); }));
  if (named != 0 && named != lines.size()) throw InputError(path.string() + ": only some of its lines name a picture");
  if (named == 0) refuse_devkit(path, lines, classes);
  for (const TruthLine& line : lines) {
    check_class(line.label, classes, fmt::format("{}:{}", path.string(), line.number));
  }
  return named == 0 ? by_order(path, lines, names.size()) : by_name(path, lines, names);
}

}  // namespace tessera
