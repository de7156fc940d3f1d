#include "vision/label_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/csv.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "vision/file_kinds.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

using std::string_view_literals::operator""sv;

// The text of a label file; the limit keeps a tar of pictures from being read as one.
std::string read_text(const fs::path& path) {
  return text_of(read_file(path, std::uintmax_t{256} << 20), path.string());
}

// The two columns of a table that count: the name of the picture or folder, and its class.
struct PairColumns {
  std::size_t name = 0, label = 1;
};

// The columns that a header means, where all of its words are known.
std::optional<PairColumns> columns_of_header(const std::vector<std::string>& cells) {
  constexpr std::array kNames{"path"sv,     "paths"sv,      "image"sv,     "images"sv,   "img"sv,        "picture"sv,
                              "file"sv,     "filename"sv,   "file_name"sv, "filepath"sv, "file_path"sv,  "image_path"sv,
                              "img_path"sv, "image_name"sv, "image_id"sv,  "imageid"sv,  "name"sv,       "id"sv,
                              "folder"sv,   "directory"sv,  "dir"sv,       "class"sv,    "class_name"sv, "classname"sv,
                              "wnid"sv,     "synset"sv,     "label"sv};
  constexpr std::array kLabels{
      "label"sv,           "labels"sv,     "class"sv,       "classes"sv, "class_id"sv, "classid"sv,      "class_idx"sv,
      "class_index"sv,     "class_name"sv, "index"sv,       "idx"sv,     "id"sv,       "gt_idx"sv,       "target"sv,
      "category"sv,        "wnid"sv,       "category_id"sv, "synset"sv,  "truth"sv,    "ground_truth"sv, "number"sv,
      "predictionstring"sv};
  const auto is_one_of = [](const std::string& word, const auto& known) {
    return std::ranges::find(known, lower_case(trimmed(word))) != known.end();
  };
  if (cells.size() == 2) {
    const bool known = is_one_of(cells[0], kNames) && is_one_of(cells[1], kLabels);
    return known ? std::optional(PairColumns{}) : std::nullopt;
  }
  // Of more columns, exactly one must be called a name and one a class.
  std::vector<std::size_t> names, labels;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool name = is_one_of(cells[i], kNames), label = is_one_of(cells[i], kLabels);
    if (name && !label) names.push_back(i);
    if (label && !name) labels.push_back(i);
    if (label && name && cells.size() > 2) labels.push_back(i);
  }
  if (names.size() != 1 || labels.size() != 1) return std::nullopt;
  return PairColumns{.name = names.front(), .label = labels.front()};
}

std::string shown(const std::vector<std::string>& cells) {
  return fmt::to_string(fmt::join(cells, ",")).substr(0, 100);
}

constexpr std::string_view kHeaders = "a header, which has words such as path,label or folder,index";

struct TruthLine {
  std::size_t number = 0;
  std::string name;  // "" where the file has only classes
  std::string label;
};

using KnownClass = FunctionRef<bool(const std::string& label)>;

class TruthRows {
 public:
  TruthRows(const fs::path& path, KnownClass known) : path_(path), known_(known) {}

  void add(std::size_t number, std::vector<std::string> cells) {
    while (cells.size() > 1 && trimmed(cells.back()).empty()) cells.pop_back();
    if (lines_.empty() && !columns_ && (columns_ = header(cells))) return;
    if (cells.size() == 1) return put(number, cells, "", cells[0]);
    const PairColumns columns = columns_.value_or(PairColumns{});
    if (columns.name >= cells.size() || columns.label >= cells.size()) refuse(number, cells);
    // Only a header can say which of many columns holds a class as a number.
    const bool clear = columns_ || cells.size() == 2 || known_(std::string(trimmed(cells[1])));
    if (!clear) refuse(number, cells);
    put(number, cells, cells[columns.name], cells[columns.label]);
  }
  std::vector<TruthLine> take() && { return std::move(lines_); }

 private:
  static std::optional<PairColumns> header(const std::vector<std::string>& cells) {
    if (cells.size() > 1) return columns_of_header(cells);
    return columns_of_header({"image", cells[0]});
  }
  void put(std::size_t number, const std::vector<std::string>& cells, const std::string& name, std::string_view label) {
    std::string text = label_of(label);
    if (text.empty()) refuse(number, cells);
    lines_.push_back({number, csv_text(name), std::move(text)});
  }
  // The class in the cell, or in its first word, as in Kaggle's "n01751748 1 2 3 4"; "" where there is none.
  std::string label_of(std::string_view cell) const {
    cell = trimmed(cell);
    const std::string whole(cell), first(cell.substr(0, cell.find(' ')));
    if (int index = 0; parse_class(whole, index) || known_(whole)) return whole;
    return known_(first) ? first : "";
  }
  [[noreturn]] void refuse(std::size_t number, const std::vector<std::string>& cells) const {
    throw InputError(fmt::format(
        "{}:{}: expected a class of the models (its index or a name of it), with or without a picture's name before "
        "it{}{}, found '{}'",
        path_.string(), number, lines_.empty() ? ", or " : "", lines_.empty() ? kHeaders : "", shown(cells)));
  }

  const fs::path& path_;
  KnownClass known_;
  std::optional<PairColumns> columns_;
  std::vector<TruthLine> lines_;
};

// The cells of a line that spaces separate. A name that holds spaces must end like a picture.
std::vector<std::string> spaced_cells(std::string_view line) {
  std::vector<std::string> words;
  std::size_t after_name = 0, name_words = 0;
  for (std::size_t at = line.find_first_not_of(' '); at != std::string_view::npos;
       at = line.find_first_not_of(' ', at)) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = end;
    if (is_picture_name(words.back())) {
      after_name = end;
      name_words = words.size();
    }
  }
  if (name_words < 2 || name_words == words.size()) return words;
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(name_words) - 1);
  words.front() = std::string(trimmed(line.substr(0, after_name)));
  return words;
}

std::vector<TruthLine> read_truth_lines(const fs::path& path, KnownClass known) {
  TruthRows rows(path, known);
  const std::string text = read_text(path);
  const std::string_view first = trimmed(std::string_view(text).substr(0, text.find('\n')));
  if (first.find_first_of(",;\t\"") != std::string_view::npos) {
    read_csv(path, [&](const CsvRow& row) { rows.add(row.number, row.fields); });
    return std::move(rows).take();
  }
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (const std::string_view content = trimmed(line); !content.empty()) rows.add(number, spaced_cells(content));
  }
  return std::move(rows).take();
}

// The name without the ending of a picture, and without folders.
std::string key_of(const std::string& name) {
  const fs::path file = fs::path(name).filename();
  return is_picture_name(file) ? file.stem().string() : file.string();
}

void refuse_devkit(const fs::path& path, const std::vector<TruthLine>& lines, int classes) {
  int least = classes, most = 0;
  for (const TruthLine& line : lines) {
    int index = 0;
    if (!parse_class(line.label, index)) return;
    least = std::min(least, index);
    most = std::max(most, index);
  }
  if (least != 1 || most != classes) return;
  throw InputError(fmt::format(
      "{}: its classes run from 1 to {}, as in ILSVRC2012_validation_ground_truth.txt of the development kit, whose "
      "numbers are not in the order of the wnids that models use; give LOC_val_solution.csv or Caffe's val.txt, or put "
      "the pictures into folders by wnid",
      path.string(), classes));
}

std::vector<std::string> by_order(const fs::path& path, const std::vector<TruthLine>& lines, std::size_t pictures) {
  if (lines.size() != pictures) {
    throw InputError(fmt::format("{}: has {} classes for {} pictures", path.string(), lines.size(), pictures));
  }
  std::vector<std::string> labels;
  for (const TruthLine& line : lines) labels.push_back(line.label);
  return labels;
}

std::vector<std::string> by_name(const fs::path& path, const std::vector<TruthLine>& lines,
                                 const std::vector<std::string>& names) {
  std::map<std::string, std::string> known;
  for (const TruthLine& line : lines) {
    if (!known.emplace(key_of(line.name), line.label).second) {
      throw InputError(fmt::format("{}:{}: '{}' stands twice", path.string(), line.number, line.name));
    }
  }
  std::vector<std::string> labels;
  for (const std::string& name : names) {
    const auto found = known.find(key_of(name));
    if (found == known.end()) throw InputError(path.string() + ": gives no class for " + name);
    labels.push_back(found->second);
  }
  return labels;
}

}  // namespace

bool parse_class(std::string_view text, int& label) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, label);
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  const bool whole = rest.empty() || (rest.size() > 1 && rest[0] == '.' && rest.find_first_not_of('0', 1) == rest.npos);
  return error == std::errc() && whole;
}

void check_class(std::int64_t label, int classes, const std::string& where) {
  const std::int64_t largest = classes > 0 ? classes - 1 : std::numeric_limits<int>::max();
  if (label < 0 || label > largest) {
    throw InputError(fmt::format("{}: class {} is out of range; the classes are 0 to {}", where, label, largest));
  }
}

std::string for_each_pair(const fs::path& path,
                          FunctionRef<bool(const std::string& first, const std::string& second)> entry) {
  std::optional<PairColumns> columns;
  std::string header;
  read_csv(path, [&](const CsvRow& row) {
    if (row.number == 1 && (columns = columns_of_header(row.fields))) {
      header = lower_case(trimmed(row.fields[columns->label]));
      return;
    }
    const auto [name, label] = columns.value_or(PairColumns{});
    const bool fits = columns ? std::max(name, label) < row.fields.size() : row.fields.size() == 2;
    if (fits && !row.fields[name].empty() && entry(row.fields[name], std::string(trimmed(row.fields[label])))) return;
    throw InputError(fmt::format("{}: row {}: expected two columns, a name and a class that is known{}{}, found '{}'",
                                 path.string(), row.number, row.number == 1 ? ", or " : "",
                                 row.number == 1 ? kHeaders : "", shown(row.fields)));
  });
  return header;
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

std::vector<std::string> read_ground_truth(const fs::path& path, const std::vector<std::string>& names, int classes,
                                           FunctionRef<bool(const std::string&)> known) {
  const std::vector<TruthLine> lines = read_truth_lines(path, known);
  if (lines.empty()) throw InputError(path.string() + ": names no class");
  const auto named =
      static_cast<std::size_t>(std::ranges::count_if(lines, [](const TruthLine& line) { return !line.name.empty(); }));
  if (named != 0 && named != lines.size()) throw InputError(path.string() + ": only some of its lines name a picture");
  if (named == 0) refuse_devkit(path, lines, classes);
  for (const TruthLine& line : lines) {
    int index = 0;
    if (parse_class(line.label, index)) check_class(index, classes, fmt::format("{}:{}", path.string(), line.number));
  }
  return named == 0 ? by_order(path, lines, names.size()) : by_name(path, lines, names);
}

}  // namespace tessera
