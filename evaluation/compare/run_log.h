#pragma once
// The log of a run. It lets a run survive kill -9, a full disk and a power cut, and shards are joined from it.
//
// A text file, so that a damaged line can be looked at: some 35 MB for 50,000 pictures and two models. Each line is the
// CRC-32 (zlib) of what follows in eight hexadecimal digits, a space, and one JSON document: first the header, then
// "sitting" (a process began to write here, on which machine), "alone" (pictures a second of a process's models with
// nothing beside them), in a merged log "parts" (the shards), and one row for each picture. A line is written by a
// single write(), so a process that dies leaves at most the last line incomplete. That line is dropped, and its picture
// is done again. The file is locked (flock) while it is written.

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/compare/result.h"

namespace tessera {

// Throws InputError naming the file, for a file that is not a log, a damaged header, or an impossible row.
ComparisonResult read_run_log(const std::filesystem::path& path);

// Rows as lines of a log, and back; the latter throws InputError. Of a sample only name, folder and label are in them.
std::string lines_of_rows(std::span<const ComparisonRow> rows);
std::vector<ComparisonRow> rows_of_lines(std::string_view lines, std::size_t models);

// The record as a log of one sitting.
std::string run_log_text(const ComparisonResult& record);

// Not thread-safe.
class RunLog {
 public:
  // Opens or makes the log. With `resume` its contents are in before(); otherwise, and where the log has no row yet, it
  // begins anew. `environments` are those of the processes that run. Throws UsageError when another process is writing
  // it or when it belongs to a run with other settings (which are named), InputError for a file that is not a log
  // (which is never overwritten), ResourceError.
  RunLog(std::filesystem::path path, const RunHeader& header, bool resume,
         const nlohmann::json& environments = nlohmann::json::array());
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  const ComparisonResult& before() const noexcept { return before_; }
  // Writes one row; `seconds` since this sitting's first picture. Flushes to the disk every few seconds. Throws
  // ResourceError when the disk is full; the file is then whole up to the row before.
  void append(const ComparisonRow& row, double seconds);
  // Pictures a second of the models of one process, with nothing beside them.
  void append_alone(double pictures_per_second);
  // Flushes everything to the disk.
  void sync();

 private:
  void begin(const RunHeader& header, bool resume, const nlohmann::json& environments);
  void write_line(const nlohmann::json& json);

  std::filesystem::path path_;
  int file_ = -1;
  std::int64_t length_ = 0;  // of the lines that are whole
  ComparisonResult before_;
  std::chrono::steady_clock::time_point synced_;
};

}  // namespace tessera
