#include "evaluation/run_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "tessera-run-log";
constexpr int kVersion = 1;
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
  Json json{{"number", row.number},      {"image", row.sample.name}, {"folder", row.sample.folder},
            {"label", row.sample.label}, {"seconds", seconds},       {"read_ms", row.read_ms},
            {"load_ms", row.load_ms},    {"wall_ms", row.wall_ms},   {"batch", row.batch}};
  if (row.wait_ms != 0) json["wait_ms"] = row.wait_ms;
  if (!row.error.empty()) json["error"] = row.error;
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
  row.sample.name = json.at("image").get<std::string>();
  row.sample.folder = json.at("folder").get<std::string>();
  row.sample.label = json.at("label").get<int>();
  row.error = json.value("error", "");
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
  if (row.predictions.size() != (row.error.empty() ? models : 0)) throw InputError("predictions are missing");
  return row;
}

Json to_json(const ComparedModel& model) {
  return {{"name", model.name},       {"prefix", model.prefix},
          {"load_ms", model.load_ms}, {"parameters", model.parameters},
          {"macs", model.macs},       {"memory_bytes", model.memory_bytes}};
}

ComparedModel model_from_json(const Json& json) {
  return {.name = json.at("name").get<std::string>(),
          .prefix = json.at("prefix").get<std::string>(),
          .load_ms = json.at("load_ms").get<double>(),
          .parameters = json.at("parameters").get<std::int64_t>(),
          .macs = json.at("macs").get<std::int64_t>(),
          .memory_bytes = json.at("memory_bytes").get<std::int64_t>()};
}

Json to_json(const RunHeader& header) {
  Json models = Json::array();
  for (const ComparedModel& model : header.models) models.push_back(to_json(model));
  return {{"format", kFormat},
          {"version", kVersion},
          {"settings", header.settings},
          {"pictures", header.pictures},
          {"shard", {header.shard.index, header.shard.count}},
          {"models", models},
          {"labels", to_json(header.labels)}};
}

RunHeader header_from_json(const Json& json) {
  if (!json.is_object() || json.value("format", "") != kFormat) throw InputError("is not the log of a run");
  if (json.at("version") != kVersion) throw InputError("is the log of another version of tessera");
  RunHeader header;
  header.settings = json.at("settings");
  header.pictures = json.at("pictures").get<std::int64_t>();
  header.shard = {json.at("shard").at(0).get<int>(), json.at("shard").at(1).get<int>()};
  for (const Json& model : json.at("models")) header.models.push_back(model_from_json(model));
  header.labels = label_set_from_json(json.at("labels"));
  return header;
}

// What the text of a log comes to, and how much of it is whole.
class LogReader {
 public:
  LogReader(std::string_view text) : text_(text) {}

  // Nothing where not even the header is whole.
  std::optional<RunRecord> read() {
    std::string_view line;
    if (!next(line)) return std::nullopt;
    const Json header = parse_line(line);
    record_.header = header_from_json(header);
    const Json& settings = record_.header.settings;
    if (settings.is_object()) batch_ = settings.value("batch", batch_);
    while (next(line)) take(parse_line(line));
    if (whole_ < text_.size()) note("a line was cut off at the end and is dropped; its picture is done again");
    end_sitting();
    std::ranges::stable_sort(record_.rows, {}, &ComparisonRow::number);
    const auto same = [](const ComparisonRow& a, const ComparisonRow& b) { return a.number == b.number; };
    record_.rows.erase(std::unique(record_.rows.begin(), record_.rows.end(), same), record_.rows.end());
    return std::move(record_);
  }
  std::size_t whole() const noexcept { return whole_; }

 private:
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
      for (const Json& model : json.at("sitting")) record_.load_ms += model.get<double>();
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
        throw InputError(fmt::format("line {}: there is no picture {}", number_, number));
      }
    }
  }

  void end_sitting() {
    constexpr double kMs = 1e3;
    record_.loop_ms += seconds_ * kMs;
    record_.alone_pictures += seconds_ * alone_;
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
  RunRecord record_;
};

template <class Read>
auto named(const std::filesystem::path& path, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw InputError(path.string() + ": a line is not what a run writes: " + error.what());
  } catch (const Error& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 36;

// "models/0/isa: avx512 there, avx2 here" of every leaf, the first few of them.
std::string differences(const Json& there, const Json& here) {
  constexpr int kShown = 6;
  const Json leaves = here.flatten(), others = there.flatten();
  std::set<std::string> pointers;
  for (const Json& side : {leaves, others}) {
    for (const auto& leaf : side.items()) pointers.insert(leaf.key());
  }
  std::string text;
  int count = 0;
  for (const std::string& pointer : pointers) {
    const Json value = leaves.value(pointer, Json()), other = others.value(pointer, Json());
    if (other == value || ++count > kShown) continue;
    text +=
        fmt::format("{}{}: {} there, {} here", text.empty() ? "" : ", ", pointer.substr(1), other.dump(), value.dump());
  }
  return count > kShown ? text + fmt::format(" and {} more", count - kShown) : text;
}

void check_same_run(const std::filesystem::path& path, const RunHeader& there, const RunHeader& here) {
  std::string differing = differences(there.settings, here.settings);
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

std::string differing_settings(const RunHeader& there, const RunHeader& here) {
  if (there.pictures != here.pictures) return fmt::format("{} pictures there, {} here", there.pictures, here.pictures);
  return differences(there.settings, here.settings);
}

std::string run_log_text(const RunRecord& record) {
  constexpr double kMs = 1e3;
  std::string text = line_of(to_json(record.header)) + line_of({{"sitting", {record.load_ms}}});
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

Shard shard_from_string(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
  constexpr int kMost = 1'000'000;
  if (!slash || second.ec != std::errc() || second.ptr != end || shard.index < 1 || shard.index > shard.count ||
      shard.count > kMost) {
    throw UsageError("--shard '" + text + "': expected i/n with i from 1 to n, as in 2/4");
  }
  return shard;
}

RunRecord read_run_log(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMostBytes);
  std::optional<RunRecord> record = named(path, [&] { return LogReader(text).read(); });
  if (!record) throw InputError(path.string() + ": is not the log of a run");
  return *std::move(record);
}

RunLog::RunLog(std::filesystem::path path, const RunHeader& header, bool resume) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0666);
  if (file_ < 0) throw ResourceError(path_.string() + ": cannot be opened (" + std::strerror(errno) + ")");
  try {
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      throw UsageError(path_.string() + ": another process is writing this run");
    }
    begin(header, resume);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

void RunLog::begin(const RunHeader& header, bool resume) {
  if (resume) {
    const std::string text = read_file(path_, kMostBytes);
    LogReader reader(text);
    std::optional<RunRecord> record = named(path_, [&] { return reader.read(); });
    if (record) {
      check_same_run(path_, record->header, header);
      before_ = *std::move(record);
      length_ = static_cast<std::int64_t>(reader.whole());
    }
  }
  if (::ftruncate(file_, length_) != 0) throw ResourceError(path_.string() + ": " + std::strerror(errno));
  if (length_ == 0) write_line(to_json(header));
  Json load_ms = Json::array();
  for (const ComparedModel& model : header.models) load_ms.push_back(model.load_ms);
  write_line({{"sitting", load_ms}});
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
  if (::fsync(file_) != 0 && errno != EINVAL) {  // EINVAL: what is no file on a disk
    throw ResourceError(path_.string() + ": cannot be written (" + std::strerror(errno) + ")");
  }
}

}  // namespace tessera
