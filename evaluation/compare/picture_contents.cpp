#include "evaluation/compare/picture_contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "vision/prepare.h"

namespace tessera {

namespace {

// A step that visits each of `count` places once, far apart from the beginning on: near the golden section, without a
// common factor.
std::size_t spread_step(std::size_t count) {
  constexpr double kGolden = 0.6180339887498949;
  auto step = static_cast<std::size_t>(static_cast<double>(count) * kGolden);
  while (step == 0 || std::gcd(step, count) != 1) ++step;
  return step;
}

constexpr std::size_t kMostBytes = std::size_t{256} << 20;

std::optional<std::vector<std::byte>> bytes_now(const Sample& sample) {
  try {
    return read_picture(sample);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

std::int64_t contents_now(const Sample& sample, std::size_t& bytes_read) {
  const std::optional<std::vector<std::byte>> bytes = bytes_now(sample);
  if (!bytes) return -1;
  bytes_read += bytes->size();
  return contents_of(*bytes);
}

}  // namespace

void expect_same_contents(const std::filesystem::path& log, const Dataset& dataset,
                          std::span<const ComparisonRow> rows) {
  if (rows.empty()) return;
  const std::size_t step = spread_step(rows.size());
  std::size_t bytes_read = 0;
  for (std::size_t i = 0, at = 0; i < rows.size() && bytes_read < kMostBytes; ++i, at = (at + step) % rows.size()) {
    if (rows[at].contents < 0) continue;
    const Sample& sample = dataset.samples[static_cast<std::size_t>(rows[at].number)];
    const std::int64_t now = contents_now(sample, bytes_read);
    if (now < 0 || now == rows[at].contents) continue;
    throw UsageError(
        fmt::format("{}: was made on other pictures: {} has other contents than it had then; give another --out, or "
                    "--no-resume to begin anew",
                    log.string(), where(sample)));
  }
}

std::string note_of_same_pictures(std::span<const ComparisonRow> rows) {
  std::vector<const ComparisonRow*> known;
  for (const ComparisonRow& row : rows) {
    if (row.contents >= 0 && row.sample.label >= 0) known.push_back(&row);
  }
  std::ranges::sort(known, {}, [](const ComparisonRow* row) { return std::tuple(row->contents, row->number); });
  std::size_t found = 0, bytes_read = 0;
  const ComparisonRow *first = nullptr, *twin = nullptr;  // of the first pair
  std::optional<std::vector<std::byte>> bytes;            // of *group
  const ComparisonRow* group = nullptr;                   // the first picture with these contents
  for (const ComparisonRow* row : known) {
    if (group == nullptr || group->contents != row->contents) {
      group = row;
      bytes.reset();
    }
    if (group->sample.label == row->sample.label || bytes_read > kMostBytes) continue;
    if (!bytes) bytes = bytes_now(group->sample);
    const std::optional<std::vector<std::byte>> others = bytes_now(row->sample);
    if (!bytes || !others) continue;
    bytes_read += bytes->size() + others->size();
    if (*bytes != *others) continue;
    ++found;
    if (first == nullptr || group->number < first->number) std::tie(first, twin) = std::tuple(group, row);
  }
  if (found == 0) return "";
  return fmt::format(
      "{}{} picture(s) have the same bytes as one of another class, so that of the two labels one at most is right; "
      "the first: {} (class {}) and {} (class {})",
      bytes_read > kMostBytes ? "at least " : "", found, where(first->sample), first->sample.label, where(twin->sample),
      twin->sample.label);
}

}  // namespace tessera
