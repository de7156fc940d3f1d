#pragma once
// What the system allows this process to use.

#include <filesystem>
#include <optional>

namespace tessera {

// How many processors' worth of time the cgroups of this process allow, for example 1.5: the least of cpu.max (version
// 2) or cpu.cfs_quota_us / cpu.cfs_period_us (version 1) from its own group up to the root of `cgroups`, which is what
// a container's limit sets. nullopt: no limit. The paths are parameters for tests.
std::optional<double> cpu_limit(const std::filesystem::path& cgroups = "/sys/fs/cgroup",
                                const std::filesystem::path& membership = "/proc/self/cgroup");

// The default number of threads: physical_cores(), but no more than the CPU limit allows to run all the time (rounded
// down, at least 1). The system would stop more threads for a part of each tenth of a second.
int usable_cores();

// For a catch block: rethrows an exception of std::thread as a ResourceError that says how many threads were asked for
// and what limits them; rethrows any other exception unchanged.
[[noreturn]] void rethrow_as_resource_error(int threads);

}  // namespace tessera
