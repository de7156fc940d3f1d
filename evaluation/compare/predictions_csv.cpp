#include "evaluation/compare/predictions_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "core/csv.h"
#include "core/error.h"

namespace tessera {

namespace {

constexpr std::string_view kPrediction = "_pred_idx";

// The columns of a table by name, and what they hold in one row.
class Table {
 public:
  Table(const std::filesystem::path& path, const CsvRow& header) : path_(path.string()) {
    for (std::size_t i = 0; i < header.fields.size(); ++i) {
      const std::string name = csv_text(trimmed(header.fields[i]));
      if (!columns_.emplace(name, i).second) {
        throw InputError(fmt::format("{}: the column '{}' stands twice", path_, name));
      }
    }
    width_ = header.fields.size();
  }

  void at(const CsvRow& row) {
    if (row.fields.size() != width_) {
      throw InputError(
          fmt::format("{}: row {} has {} fields, the header {}", path_, row.number, row.fields.size(), width_));
    }
    row_ = &row;
  }

  bool has(const std::string& column) const { return columns_.contains(column); }
  // "" where there is no such column.
  std::string_view cell(const std::string& column) const {
    const auto found = columns_.find(column);
    return found == columns_.end() ? std::string_view() : trimmed(row_->fields[found->second]);
  }
  // What csv_field() wrote.
  std::string text(const std::string& column) const {
    const auto found = columns_.find(column);
    return found == columns_.end() ? "" : csv_text(row_->fields[found->second]);
  }
  // Also as pandas and spreadsheets write what is not there.
  bool empty(const std::string& column) const {
    const std::string_view value = cell(column);
    return value.empty() || value == "nan" || value == "NaN" || value == "NA" || value == "#N/A";
  }
  int index(const std::string& column) const {
    // Of a column with empty cells pandas makes real numbers: 7.0.
    const auto value = number<double>(column, "a class number");
    const bool whole = value >= 0 && value <= std::numeric_limits<int>::max() && value == std::floor(value);
    if (!whole) fail(column, "a class number");
    return static_cast<int>(value);
  }
  double real(const std::string& column, const char* what) const {
    const auto value = number<double>(column, what);
    if (!std::isfinite(value)) fail(column, what);
    return value;
  }
  // Milliseconds; 0 where there is no such column.
  double time(const std::string& column) const {
    if (!has(column)) return 0;
    const double value = real(column, "milliseconds");
    if (value < 0) fail(column, "milliseconds");
    return value;
  }
  bool flag(const std::string& column) const {
    const std::string_view value = cell(column);
    for (const char* yes : {"True", "true", "TRUE", "1", "1.0"}) {
      if (value == yes) return true;
    }
    for (const char* no : {"False", "false", "FALSE", "0", "0.0"}) {
      if (value == no) return false;
    }
    fail(column, "True or False");
  }
  // What best_text() wrote; empty where there is no such column.
  std::vector<ClassProbability> best(const std::string& column) const {
    std::vector<ClassProbability> best;
    const std::string_view list = cell(column);
    const char* at = list.data();
    const char* const end = at + list.size();
    while (at != end) {
      ClassProbability of_class;
      const auto index = std::from_chars(at, end, of_class.index);
      if (index.ec != std::errc() || index.ptr == end || *index.ptr != ':') fail(column, "class:probability");
      const auto probability = std::from_chars(index.ptr + 1, end, of_class.probability);
      const bool sound = probability.ec == std::errc() && of_class.index >= 0 && of_class.probability >= 0;
      at = probability.ptr;
      if (!sound || (at != end && *at++ != ' ')) fail(column, "class:probability");
      best.push_back(of_class);
    }
    return best;
  }
  [[noreturn]] void fail(const std::string& column, const std::string& expected) const {
    if (!has(column)) throw InputError(fmt::format("{}: there is no column '{}'", path_, column));
    constexpr std::size_t kShown = 40;
    const std::string_view value = cell(column);
    const bool decimal_comma =
        std::ranges::count(value, ',') == 1 && value.find_first_not_of("-0123456789,") == value.npos;
    const char* const advice = value.empty()   ? "; an empty cell is no value: fill it, or leave the whole row out"
                               : decimal_comma ? "; write numbers with a decimal point"
                                               : "";
    throw InputError(fmt::format("{}: row {}, column '{}': expected {}, found '{}'{}", path_, row_->number, column,
                                 expected, value.substr(0, kShown), advice));
  }

  // What stands before _pred_idx, in the order of the columns.
  std::vector<std::string> prefixes() const {
    std::map<std::size_t, std::string> found;
    for (const auto& [name, column] : columns_) {
      if (name.size() > kPrediction.size() && name.ends_with(kPrediction)) {
        found.emplace(column, name.substr(0, name.size() - kPrediction.size()));
      }
    }
    std::vector<std::string> prefixes;
    for (const auto& [column, prefix] : found) prefixes.push_back(prefix);
    return prefixes;
  }

 private:
  template <class Number>
  Number number(const std::string& column, const char* what) const {
    const std::string_view value = cell(column);
    Number result{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size()) fail(column, what);
    return result;
  }

  std::string path_;
  std::map<std::string, std::size_t> columns_;
  std::size_t width_ = 0;
  const CsvRow* row_ = nullptr;
};

Prediction read_prediction(const Table& table, const std::string& prefix) {
  constexpr double kPercent = 100;
  const std::string confidence = prefix + "_conf";
  Prediction p;
  p.index = table.index(prefix + std::string(kPrediction));
  p.confidence = table.real(confidence, "a confidence in percent") / kPercent;
  // What was computed in float32 may pass 100 by a rounding.
  constexpr double kMost = 1 + 1e-6;
  if (p.confidence < 0 || p.confidence > kMost) table.fail(confidence, "a confidence in percent");
  p.top1_correct = table.flag(prefix + "_top1_correct");
  p.top5_correct = table.flag(prefix + "_top5_correct");
  p.preprocess_ms = table.time(prefix + "_preprocess_ms");
  p.inference_ms = table.time(prefix + "_inference_ms");
  p.postprocess_ms = table.time(prefix + "_postprocess_ms");
  p.batch_ms = table.time(prefix + "_batch_ms");
  p.best = table.best(prefix + "_top5");
  return p;
}

// A time that is empty says nothing about a picture that could not be read; of any other it is missing.
double read_time(const Table& table, const std::string& column, const ComparisonRow& row) {
  return !row.error.empty() && table.empty(column) ? 0 : table.time(column);
}

// True where every model's cells are empty, as in a table from which the column of errors was taken out.
bool without_prediction(const Table& table, const std::vector<ComparedModel>& models) {
  return std::ranges::all_of(models, [&](const ComparedModel& model) {
    return table.empty(model.prefix + std::string(kPrediction)) && table.empty(model.prefix + "_conf") &&
           table.empty(model.prefix + "_top1_correct");
  });
}

// "tench" of "tench, Tinca tinca": lists of ImageNet's classes differ in how much of a label they give.
std::string_view first_name(std::string_view label) { return label.substr(0, label.find(',')); }

// Names of classes as the rows give them: there are few, and each row repeats them.
class Names {
 public:
  // False where the class has another name already: two lists of classes in one table.
  bool add(int index, const std::string& name) {
    constexpr int kMost = 1'000'000;
    if (name.empty() || index >= kMost) return true;
    const auto at = static_cast<std::size_t>(index);
    if (names_.size() <= at) names_.resize(at + 1);
    if (names_[at].empty()) names_[at] = name;
    return first_name(names_[at]) == first_name(name);
  }
  const std::string& operator[](int index) const { return names_[static_cast<std::size_t>(index)]; }
  LabelSet labels() && {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].empty()) names_[i] = fmt::format("class {}", i);
    }
    return LabelSet::custom(std::move(names_));
  }

 private:
  std::vector<std::string> names_;
};

// "281:0.913 282:0.04": classes and their probabilities, the most probable first.
std::string best_text(const std::vector<ClassProbability>& best) {
  std::string text;
  for (const ClassProbability& of_class : best) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", of_class.index, of_class.probability);
  }
  return text;
}

}  // namespace

std::string predictions_csv(const ComparisonResult& result) {
  std::string csv = "image,wnid,gt_idx,gt_label";
  for (const ComparedModel& model : result.header.models) {
    csv += fmt::format(
        ",{0}_pred_idx,{0}_pred_label,{0}_top1_correct,{0}_top5_correct,{0}_conf,{0}_preprocess_ms,"
        "{0}_inference_ms",
        model.prefix);
  }
  csv += ",image_load_ms";
  for (const ComparedModel& model : result.header.models)
    csv += fmt::format(",{0}_postprocess_ms,{0}_top5", model.prefix);
  csv += ",image_read_ms,average_top5,error,batch";
  for (const ComparedModel& model : result.header.models) csv += fmt::format(",{}_batch_ms", model.prefix);
  csv += "\n";
  for (const ComparisonRow& row : result.rows) {
    csv += fmt::format("{},{},{},{}", csv_field(row.sample.name), csv_field(row.sample.folder), row.sample.label,
                       csv_field(result.header.labels.name(row.sample.label)));
    const bool failed = !row.error.empty();
    for (std::size_t m = 0; m < result.header.models.size(); ++m) {
      if (failed) {
        csv += ",,,,,,,";
        continue;
      }
      const Prediction& p = row.predictions[m];
      csv += fmt::format(",{},{},{},{},{},{},{}", p.index, csv_field(result.header.labels.name(p.index)),
                         p.top1_correct ? "True" : "False", p.top5_correct ? "True" : "False", p.confidence * 100,
                         p.preprocess_ms, p.inference_ms);
    }
    csv += fmt::format(",{}", row.load_ms);
    for (std::size_t m = 0; m < result.header.models.size(); ++m) {
      csv +=
          failed ? ",," : fmt::format(",{},{}", row.predictions[m].postprocess_ms, best_text(row.predictions[m].best));
    }
    csv += fmt::format(",{},{},{},{}", row.read_ms, best_text(row.average), csv_field(row.error), row.batch);
    for (std::size_t m = 0; m < result.header.models.size(); ++m) {
      csv += failed ? "," : fmt::format(",{}", row.predictions[m].batch_ms);
    }
    csv += "\n";
  }
  return csv;
}

ComparisonResult read_predictions_csv(const std::filesystem::path& path) {
  ComparisonResult result;
  std::optional<Table> table;
  Names names;
  read_csv(path, [&](const CsvRow& fields) {
    if (!table) {
      table.emplace(path, fields);
      for (const std::string& prefix : table->prefixes())
        result.header.models.push_back({.name = prefix, .prefix = prefix});
      if (result.header.models.empty()) {
        throw InputError(path.string() + ": no column ends in _pred_idx; this is not a table of predictions");
      }
      return;
    }
    table->at(fields);
    ComparisonRow& row = result.rows.emplace_back();
    row.sample.name = table->text("image");
    row.sample.folder = table->text("wnid");
    row.sample.label = table->index("gt_idx");
    row.error = table->text("error");
    if (row.error.empty() && without_prediction(*table, result.header.models)) {
      row.error = row.sample.name + ": the table has no prediction of it";
    }
    row.load_ms = read_time(*table, "image_load_ms", row);
    row.read_ms = read_time(*table, "image_read_ms", row);
    if (table->has("batch") && !(table->empty("batch") && !row.error.empty())) row.batch = table->index("batch");
    constexpr std::int64_t kMostBatch = 1 << 20;
    if (row.batch < 1 || row.batch > kMostBatch) table->fail("batch", "how many pictures ran together");
    result.overlapped = result.overlapped || row.batch > 1;
    row.average = table->best("average_top5");
    row.number = static_cast<std::int64_t>(result.rows.size()) - 1;
    const auto name = [&](int index, const std::string& column) {
      if (names.add(index, table->text(column))) return;
      table->fail(column, fmt::format("the name of class {}, which is '{}' in the rows before (models whose classes "
                                      "differ in order cannot be compared by number)",
                                      index, names[index]));
    };
    name(row.sample.label, "gt_label");
    if (!row.error.empty()) return;
    for (const ComparedModel& model : result.header.models) {
      row.predictions.push_back(read_prediction(*table, model.prefix));
      name(row.predictions.back().index, model.prefix + "_pred_label");
    }
  });
  if (result.rows.empty()) throw InputError(path.string() + ": holds no predictions");
  result.header.labels = std::move(names).labels();
  return result;
}

}  // namespace tessera
