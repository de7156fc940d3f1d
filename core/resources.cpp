#include "core/resources.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "core/error.h"
#include "core/thread_pool.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

// The quotient of a quota and its period; "max" and -1 mean no limit.
std::optional<double> share(std::istream&& quota_and_period) {
  double quota = 0, period = 0;
  if (!(quota_and_period >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// Of a group, in either version.
std::optional<double> limit_of(const fs::path& group) {
  if (const auto limit = share(std::istringstream(text_of(group / "cpu.max")))) return limit;
  return share(std::istringstream(text_of(group / "cpu.cfs_quota_us") + " " + text_of(group / "cpu.cfs_period_us")));
}

bool has_cpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

std::optional<double> cpu_limit(const fs::path& cgroups, const fs::path& membership) {
  std::optional<double> least;
  const auto look_at = [&](const fs::path& group) {
    const std::optional<double> limit = limit_of(group);
    if (limit) least = std::min(least.value_or(*limit), *limit);
  };
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "0::/a/b" or "4:cpu,cpuacct:/a/b"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !has_cpu(controllers)) continue;
    // In a container the path may be the host's while the container's own group is mounted at the root, so the root is
    // read as well.
    const fs::path root = controllers.empty() ? cgroups : cgroups / "cpu";
    const fs::path unified = cgroups / "unified";
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    for (;; group = group.parent_path()) {
      look_at(root / group);
      if (controllers.empty()) look_at(unified / group);
      if (group.empty()) break;
    }
  }
  return least;
}

int usable_cores() {
  const int cores = physical_cores();
  const std::optional<double> limit = cpu_limit();
  return limit ? std::clamp(static_cast<int>(std::min(*limit, 1e6)), 1, cores) : cores;
}

void rethrow_as_resource_error(int threads) {
  try {
    throw;
  } catch (const std::system_error& error) {
    throw ResourceError("of " + std::to_string(threads) + " threads not all could be started (" +
                        error.code().message() +
                        "); ask for fewer (--threads, --workers), or raise the limits of processes (ulimit -u, a "
                        "container's pids.max) or memory (ulimit -v)");
  }
}

}  // namespace tessera
