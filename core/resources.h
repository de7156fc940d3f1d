#pragma once
// What the system lets this process have.

#include <filesystem>
#include <optional>

namespace tessera {

// Processors' worth of time that the cgroups of this process allow, as 1.5: the least of cpu.max (version 2) or
// cpu.cfs_quota_us / cpu.cfs_period_us (version 1) from its own group up to the root of `cgroups`, which is what a
// container's limit sets. nullopt: none. The paths are parameters for tests.
std::optional<double> cpu_limit(const std::filesystem::path& cgroups = "/sys/fs/cgroup",
                                const std::filesystem::path& membership = "/proc/self/cgroup");

// The number of threads where none is asked for: physical_cores(), and not more than the CPU limit allows to run all
// the time (rounded down, at least 1). More would be stopped for a part of each tenth of a second.
int usable_cores();

// For a catch block: what std::thread threw as a ResourceError that says how many threads were asked for and what
// limits them; any other exception as it is.
[[noreturn]] void rethrow_as_resource_error(int threads);

}  // namespace tessera
