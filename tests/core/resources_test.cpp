#include "core/resources.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "core/error.h"
#include "core/thread_pool.h"
#include "tests/temporary_folder.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class CpuLimit : public WithFolder {
 protected:
  void put(const fs::path& file, std::string_view text) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text << "\n";
  }
  // As a process in that group sees it.
  std::optional<double> of(std::string_view membership) const {
    put("membership", membership);
    return cpu_limit(folder_ / "cgroup", folder_ / "membership");
  }
};

TEST_F(CpuLimit, IsTheLeastOfTheGroupsAboveInVersionTwo) {
  put("cgroup/pod/cpu.max", "400000 100000");
  put("cgroup/pod/box/cpu.max", "max 100000");
  EXPECT_EQ(of("0::/"), std::nullopt);
  EXPECT_EQ(of("0::/pod/box"), 4.0);
  put("cgroup/pod/box/cpu.max", "150000 100000");
  EXPECT_EQ(of("0::/pod/box"), 1.5);
  put("cgroup/cpu.max", "50000 100000");  // a container whose group is mounted as the root
  EXPECT_EQ(of("0::/pod/box"), 0.5);
  EXPECT_EQ(of("0::/of/the/host"), 0.5);
  put("cgroup/cpu.max", "nonsense");
  EXPECT_EQ(of("0::/of/the/host"), std::nullopt);
}

TEST_F(CpuLimit, IsQuotaOverPeriodInVersionOne) {
  put("cgroup/cpu/box/cpu.cfs_quota_us", "250000");
  put("cgroup/cpu/box/cpu.cfs_period_us", "100000");
  put("cgroup/cpu/cpu.cfs_quota_us", "-1");
  put("cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(of("5:memory:/box\n4:cpu,cpuacct:/box"), 2.5);
  EXPECT_EQ(of("5:memory:/box\n4:cpuset:/box"), std::nullopt);
  EXPECT_EQ(of("4:cpu,cpuacct:/other"), std::nullopt);
}

TEST(Resources, UsesNoMoreThanTheCores) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), physical_cores());
}

// In a process of its own with no memory for so many stacks. The threads that were started must not keep it waiting.
TEST(Resources, TooManyThreadsAreAnErrorAndNoHang) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    long pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (256U << 20U);
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_AS, &limit);
    try {
      const ThreadPool pool(1024);
    } catch (const ResourceError& error) {
      ::_exit(std::string_view(error.what()).find("of 1024 threads") == std::string_view::npos ? 2 : 0);
    } catch (...) {
      ::_exit(3);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tessera
