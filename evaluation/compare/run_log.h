#pragma once
// The log of a run: what makes it survive kill -9, a full disk and a power cut, and what shards are joined from.
//
// A text file. Each line is the CRC-32 (zlib) of what follows in eight hexadecimal digits, a space, and one JSON
// document: first the header, then "sitting" (a process began to write here, on which machine), "alone" (pictures a
// second of a process's models with nothing beside them), in a merged log "parts" (the shards), and one row for each
// picture. A line is
// written by a single write(), so that a process that dies tears at most the last one; that one is dropped and its
// picture done again. The file is locked (flock) while it is written.

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

// Throws InputError naming the file, for one that is no log, a header that is damaged, a row that cannot be.
ComparisonResult read_run_log(const std::filesystem::path& path);

// Rows as lines of a log, and back; the latter throws InputError. What a sample holds beside name, folder and label is
// not in them.
std::string lines_of_rows(std::span<const ComparisonRow> rows);
std::vector<ComparisonRow> rows_of_lines(std::string_view lines, std::size_t models);

// The record as a log of one sitting.
std::string run_log_text(const ComparisonResult& record);

// Not thread-safe.
class RunLog {
 public:
  // Opens or makes the log. With `resume` what it holds is in before(), otherwise it begins anew, as it does where a
  // log has no row yet. `environments` are those of the processes that run. Throws UsageError when another process
  // writes it or when it belongs to a run with other settings (which are named), InputError for a file that is no log
  // (which is never written over), ResourceError.
  RunLog(std::filesystem::path path, const RunHeader& header, bool resume,
         const nlohmann::json& environments = nlohmann::json::array());
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  const ComparisonResult& before() const noexcept { return before_; }
  // Writes one row; `seconds` since this sitting's first picture. To the disk itself every few seconds. Throws
  // ResourceError when the disk is full; the file is then whole up to the row before.
  void append(const ComparisonRow& row, double seconds);
  // Pictures a second of the models of one process, with nothing beside them.
  void append_alone(double pictures_per_second);
  // Everything to the disk itself.
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
