#include "evaluation/compare/run_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/descriptor.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kChecksumLength = 9;  // eight digits and a space

std::string checksum_text(std::string_view text) {
  return fmt::format("{:08x} ", ::crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

std::string line_of(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return checksum_text(text) + text + "\n";
}

// The document of a line without its end; discarded where the line is not whole.
Json parse_line(std::string_view line) {
  if (line.size() <= kChecksumLength) return Json(Json::value_t::discarded);
  const std::string_view text = line.substr(kChecksumLength);
  if (line.substr(0, kChecksumLength) != checksum_text(text)) return Json(Json::value_t::discarded);
  return parse_json(text);
}

Json to_json(const std::vector<ClassProbability>& best) {
  Json json = Json::array();
  for (const ClassProbability& of_class : best) json.push_back({of_class.index, of_class.probability});
  return json;
}

std::vector<ClassProbability> best_from_json(const Json& json) {
  constexpr std::int64_t kMostClasses = 1 << 24;
  std::vector<ClassProbability> best;
  for (const Json& pair : json) {
    const auto index = pair.at(0).get<std::int64_t>();
    const double probability = pair.at(1).get<double>();
    if (index < 0 || index >= kMostClasses || !(probability >= 0 && probability <= 1 + 1e-6)) {
      throw InputError("a prediction is " + pair.dump());
    }
    best.push_back({static_cast<int>(index), probability});
  }
  return best;
}

Json row_to_json(const ComparisonRow& row, double seconds) {
  Json json{{"number", row.number},
            {"image", escaped(row.sample.name)},
            {"folder", escaped(row.sample.folder)},
            {"label", row.sample.label},
            {"seconds", seconds},
            {"read_ms", row.read_ms},
            {"load_ms", row.load_ms},
            {"wall_ms", row.wall_ms},
            {"batch", row.batch}};
  if (row.wait_ms != 0) json["wait_ms"] = row.wait_ms;
  if (!row.error.empty()) json["error"] = escaped(row.error);
  if (row.model_failed) json["model_failed"] = true;
  if (row.contents >= 0) json["crc"] = row.contents;
  for (const Prediction& p : row.predictions) {
    Json ms{p.preprocess_ms, p.inference_ms, p.postprocess_ms};
    if (p.batch_ms > 0) ms.push_back(p.batch_ms);
    json["models"].push_back({{"best", to_json(p.best)}, {"ms", std::move(ms)}});
  }
  if (!row.average.empty()) json["average"] = to_json(row.average);
  return json;
}

Prediction prediction_from_json(const Json& json, int label) {
  Prediction p;
  std::vector<ClassProbability> best = best_from_json(json.at("best"));
  if (best.empty()) throw InputError("a prediction is empty");
  set_best(p, std::move(best), label);
  p.preprocess_ms = json.at("ms").at(0).get<double>();
  p.inference_ms = json.at("ms").at(1).get<double>();
  p.postprocess_ms = json.at("ms").at(2).get<double>();
  if (json.at("ms").size() > 3) p.batch_ms = json.at("ms").at(3).get<double>();
  return p;
}

// `batch`: of a row that does not say it.
ComparisonRow row_from_json(const Json& json, std::size_t models, std::int64_t batch) {
  ComparisonRow row;
  row.number = json.at("number").get<std::int64_t>();
  row.sample.name = unescaped(json.at("image").get<std::string>());
  row.sample.folder = unescaped(json.at("folder").get<std::string>());
  row.sample.label = json.at("label").get<int>();
  row.error = unescaped(json.value("error", ""));
  row.model_failed = json.value("model_failed", false);
  row.contents = json.value("crc", std::int64_t{-1});
  row.read_ms = json.at("read_ms").get<double>();
  row.load_ms = json.at("load_ms").get<double>();
  row.wait_ms = json.value("wait_ms", 0.0);
  row.wall_ms = json.value("wall_ms", 0.0);
  row.batch = json.value("batch", batch);
  constexpr std::int64_t kMostBatch = 1 << 20;
  if (row.batch < 1 || row.batch > kMostBatch) throw InputError(fmt::format("a batch has {} pictures", row.batch));
  for (const Json& model : json.value("models", Json::array())) {
    row.predictions.push_back(prediction_from_json(model, row.sample.label));
  }
  row.average = best_from_json(json.value("average", Json::array()));
  for (const double ms : {row.read_ms, row.load_ms, row.wait_ms}) {
    if (ms < 0) throw InputError("a time is negative");
  }
  if (row.sample.label < -1) throw InputError(fmt::format("a label is {}", row.sample.label));
  if (row.predictions.size() != (row.error.empty() ? models : 0)) throw InputError("predictions are missing");
  return row;
}

// What the text of a log comes to, and how much of it is whole.
class LogReader {
 public:
  LogReader(std::string_view text) : text_(text) {}

  // Nothing where not even the header is whole.
  std::optional<ComparisonResult> read() {
    std::string_view line;
    if (!next(line)) return std::nullopt;
    const Json header = parse_line(line);
    record_.header = header_from_json(header);
    const Json& settings = record_.header.settings;
    batch_ = settings.value("batch", batch_);
    while (next(line)) {
      try {
        take(parse_line(line));
      } catch (const Json::exception& error) {
        // "[json.exception.type_error.302] type must be number, but is null"
        const std::string_view text = error.what();
        throw InputError(fmt::format("line {} is not what a run writes: {}; run it again into another folder", number_,
                                     text.substr(std::min(text.find(']') + 2, text.size()))));
      } catch (const std::exception& error) {
        throw InputError(fmt::format("line {}: {}", number_, error.what()));
      }
    }
    if (whole_ < text_.size()) note("a line was cut off at the end and is dropped; its picture is done again");
    end_sitting();
    keep_last(record_.rows);
    complete(record_);
    return std::move(record_);
  }
  std::size_t whole() const noexcept { return whole_; }

 private:
  // Sorts by number; of two rows of one picture the later one is what it came to.
  static void keep_last(std::vector<ComparisonRow>& rows) {
    std::ranges::stable_sort(rows, {}, &ComparisonRow::number);
    const auto same = [](const ComparisonRow& a, const ComparisonRow& b) { return a.number == b.number; };
    const auto first = std::unique(rows.rbegin(), rows.rend(), same).base();
    rows.erase(rows.begin(), first);
  }

  bool next(std::string_view& line) {
    const std::size_t end = text_.find('\n', whole_);
    if (end == std::string_view::npos) return false;
    line = text_.substr(whole_, end - whole_);
    whole_ = end + 1;
    ++number_;
    return true;
  }

  void take(const Json& json) {
    if (!json.is_object()) {
      note(fmt::format("line {} is damaged; its picture is done again", number_));
    } else if (json.contains("sitting")) {
      end_sitting();
      begin_sitting(json.at("sitting"));
    } else if (json.contains("alone")) {
      alone_ += json.at("alone").get<double>();
    } else if (json.contains("parts")) {
      for (const Json& part : json.at("parts")) {
        record_.parts.push_back(
            {.pictures = part.at("pictures").get<std::int64_t>(), .loop_ms = part.at("loop_ms").get<double>()});
      }
    } else {
      record_.rows.push_back(row_from_json(json, record_.header.models.size(), batch_));
      seconds_ = json.at("seconds").get<double>();
      const std::int64_t number = record_.rows.back().number;
      if (number < 0 || number >= record_.header.pictures) {
        throw InputError(fmt::format("there is no picture {}", number));
      }
      ++sitting_.pictures;
    }
  }

  // Its models' times of loading, in a list alone before format 2. A merged log has the shards' sittings in one.
  void begin_sitting(const Json& sitting) {
    in_sitting_ = true;
    for (const Json& model : sitting.is_array() ? sitting : sitting.at("load_ms")) {
      record_.load_ms += model.get<double>();
    }
    if (sitting.is_array()) return;
    sitting_.environments = sitting.value("environments", Json::array());
    for (const Json& part : sitting.value("of", Json::array())) {
      record_.sittings.push_back({.environments = part.at("environments"),
                                  .pictures = part.at("pictures").get<std::int64_t>(),
                                  .loop_ms = part.at("loop_ms").get<double>()});
      in_sitting_ = false;
    }
  }

  void end_sitting() {
    constexpr double kMs = 1e3;
    record_.loop_ms += seconds_ * kMs;
    record_.alone_pictures += seconds_ * alone_;
    sitting_.loop_ms = seconds_ * kMs;
    if (in_sitting_) record_.sittings.push_back(sitting_);
    sitting_ = {};
    in_sitting_ = false;
    seconds_ = alone_ = 0;
  }
  void note(std::string text) {
    constexpr std::size_t kMost = 20;
    if (record_.notes.size() < kMost) record_.notes.push_back(std::move(text));
  }

  std::string_view text_;
  std::size_t whole_ = 0;
  std::size_t number_ = 0;
  double seconds_ = 0;      // of the last row in this sitting
  double alone_ = 0;        // pictures a second, summed over the processes of this sitting
  std::int64_t batch_ = 1;  // by the settings: logs of earlier versions do not say it of each row
  RunSitting sitting_;
  bool in_sitting_ = false;
  ComparisonResult record_;
};

template <class Read>
auto named(const std::filesystem::path& path, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw InputError(path.string() + ": a line is not what a run writes: " + error.what());
  } catch (const ResourceError& error) {
    throw ResourceError(path.string() + ": " + error.what());
  } catch (const Error& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 36;

void check_same_run(const std::filesystem::path& path, const RunHeader& there, const RunHeader& here) {
  std::string differing = differing_settings(there, here);
  if (there.shard != here.shard) {
    differing += fmt::format("{}shard {}/{} there, {}/{} here", differing.empty() ? "" : ", ", there.shard.index,
                             there.shard.count, here.shard.index, here.shard.count);
  }
  if (differing.empty() && there.settings == here.settings) return;
  throw UsageError(
      fmt::format("{}: belongs to a run with other settings ({}); give another --out, or --no-resume to begin anew",
                  path.string(), differing));
}

}  // namespace

std::string run_log_text(const ComparisonResult& record) {
  constexpr double kMs = 1e3;
  const Json load_ms = Json::array({record.load_ms});
  std::string text = line_of(to_json(record.header)) +
                     line_of({{"sitting", {{"load_ms", load_ms}, {"of", to_json(record.sittings)}}}});
  if (!record.parts.empty()) {
    Json parts = Json::array();
    for (const RunPart& part : record.parts) parts.push_back({{"pictures", part.pictures}, {"loop_ms", part.loop_ms}});
    text += line_of({{"parts", std::move(parts)}});
  }
  if (record.loop_ms > 0) text += line_of({{"alone", record.alone_pictures / (record.loop_ms / kMs)}});
  for (const ComparisonRow& row : record.rows) text += line_of(row_to_json(row, record.loop_ms / kMs));
  return text;
}

std::string lines_of_rows(std::span<const ComparisonRow> rows) {
  std::string text;
  for (const ComparisonRow& row : rows) text += line_of(row_to_json(row, 0));
  return text;
}

std::vector<ComparisonRow> rows_of_lines(std::string_view lines, std::size_t models) {
  std::vector<ComparisonRow> rows;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const Json json = parse_line(lines.substr(0, end));
    if (end == std::string_view::npos || !json.is_object()) throw InputError("a row is damaged");
    try {
      rows.push_back(row_from_json(json, models, 1));
    } catch (const Json::exception& error) {
      throw InputError(std::string("a row is not what a run writes: ") + error.what());
    }
    lines.remove_prefix(end + 1);
  }
  return rows;
}

ComparisonResult read_run_log(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMostBytes);
  std::optional<ComparisonResult> record = named(path, [&] { return LogReader(text).read(); });
  if (!record) throw InputError(path.string() + ": is not the log of a run");
  return *std::move(record);
}

RunLog::RunLog(std::filesystem::path path, const RunHeader& header, bool resume, const nlohmann::json& environments)
    : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (file_ < 0 && errno == ELOOP)
    throw InputError(path_.string() + ": is a symbolic link; a log is a file of its own");
  if (file_ < 0) throw ResourceError(path_.string() + ": cannot be opened (" + std::strerror(errno) + ")");
  try {
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      throw UsageError(path_.string() + ": another process is writing this run");
    }
    begin(header, resume, environments);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

// A log without a row holds nothing that could be lost: the command that made it was refused, or stopped at once.
void RunLog::begin(const RunHeader& header, bool resume, const nlohmann::json& environments) {
  const std::string text = read_file(path_, kMostBytes);
  if (resume) {
    LogReader reader(text);
    std::optional<ComparisonResult> record = named(path_, [&] { return reader.read(); });
    if (record && !record->rows.empty()) {
      check_same_run(path_, record->header, header);
      before_ = *std::move(record);
      length_ = static_cast<std::int64_t>(reader.whole());
    }
  }
  if (length_ == 0 && !text.empty() && !begins_a_header(text)) {
    throw InputError(path_.string() +
                     ": is not the log of a run, and is left as it is; remove it, or give another --out");
  }
  if (::ftruncate(file_, length_) != 0) throw ResourceError(path_.string() + ": " + std::strerror(errno));
  if (length_ == 0) write_line(to_json(header));
  Json load_ms = Json::array();
  for (const ComparedModel& model : header.models) load_ms.push_back(model.load_ms);
  write_line({{"sitting", {{"load_ms", load_ms}, {"environments", environments}}}});
  sync();
}

RunLog::~RunLog() { ::close(file_); }

void RunLog::append(const ComparisonRow& row, double seconds) {
  constexpr std::chrono::seconds kBetweenSyncs{5};
  write_line(row_to_json(row, seconds));
  if (std::chrono::steady_clock::now() - synced_ > kBetweenSyncs) sync();
}

void RunLog::append_alone(double pictures_per_second) { write_line({{"alone", pictures_per_second}}); }

void RunLog::write_line(const Json& json) {
  const std::string line = line_of(json);
  ssize_t wrote = 0;
  do {
    wrote = ::write(file_, line.data(), line.size());
  } while (wrote < 0 && errno == EINTR);
  if (wrote == static_cast<ssize_t>(line.size())) {
    length_ += wrote;
    return;
  }
  const std::string reason = wrote < 0 ? std::strerror(errno) : "the disk is full";
  const bool mended = ::ftruncate(file_, length_) == 0;  // else the next reader drops what was cut off
  throw ResourceError(
      fmt::format("{}: cannot be written ({}); the pictures before are kept{}, and the same command goes on",
                  path_.string(), reason, mended ? "" : " but a line is torn"));
}

void RunLog::sync() {
  synced_ = std::chrono::steady_clock::now();
  if (const int error = sync_to_disk(file_); error != 0) {
    throw ResourceError(path_.string() + ": cannot be written (" + std::strerror(error) + ")");
  }
}

}  // namespace tessera
