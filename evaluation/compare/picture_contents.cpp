#include "evaluation/compare/picture_contents.h"

#include <fmt/format.h>

#include <numeric>

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

std::int64_t contents_now(const Sample& sample, std::size_t& bytes_read) {
  try {
    const std::vector<std::byte> bytes = read_picture(sample);
    bytes_read += bytes.size();
    return contents_of(bytes);
  } catch (const InputError&) {
    return -1;
  }
}

}  // namespace

void expect_same_contents(const std::filesystem::path& log, const Dataset& dataset,
                          std::span<const ComparisonRow> rows) {
  constexpr std::size_t kMostBytes = std::size_t{256} << 20;
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

}  // namespace tessera
