// One comparison by several processes: the same in the end as by one, whatever happens to them.
#include <cctype>

#include "scale/leader.h"
#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

TEST(ChunkSize, IsWholeBatchesAndShrinksTowardTheEnd) {
  EXPECT_EQ(chunk_size(50'000, 4, 32), 8U * 32);
  EXPECT_EQ(chunk_size(1000, 4, 32), 3U * 32);
  EXPECT_EQ(chunk_size(100, 4, 32), 32U);
  EXPECT_EQ(chunk_size(0, 4, 32), 32U);
  EXPECT_EQ(chunk_size(40, 4, 1), 5U);
}

class CliMpi : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    if (!TESSERA_HAS_MPI) GTEST_SKIP() << "built without MPI";
    for (const char* yes : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                            "OMPI_MCA_rmaps_base_oversubscribe", "OMPI_MCA_mpi_yield_when_idle"}) {
      ::setenv(yes, "1", 1);
    }
    ::setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 1);  // which containers forbid
  }
  std::vector<std::string> compare(const fs::path& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{TESSERA_BINARY, "compare",    "--data",    (folder_ / "data").string(),
                                     "--model",      kResNet,      "--model",   kVit,
                                     "--out",        out.string(), "--threads", "1",
                                     "--warmup",     "0"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  std::vector<std::string> mpi(int processes, const fs::path& out, std::vector<std::string> more = {}) const {
    more.push_back("--mpi");
    std::vector<std::string> command{"mpirun", "-n", std::to_string(processes)};
    for (const std::string& part : compare(out, more)) command.push_back(part);
    return command;
  }
  // The first process with `first`, the second with `second`.
  std::vector<std::string> mpi_pair(const fs::path& out, const std::vector<std::string>& first,
                                    const std::vector<std::string>& second) const {
    std::vector<std::string> command = mpi(1, out, first);
    command.insert(command.end(), {":", "-n", "1"});
    for (const std::string& part : compare(out, second)) command.push_back(part);
    command.emplace_back("--mpi");
    return command;
  }
  Outcome run_command(const std::vector<std::string>& command) const { return wait(start_command(command)); }
  // The processes that `parent` started, in their order.
  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) == 0) continue;
      std::string stat = read_file(entry.path() / "stat");  // pid (name) state parent ...
      const std::size_t name_end = stat.rfind(')');
      if (name_end == std::string::npos) continue;
      std::istringstream fields(stat.substr(name_end + 1));
      std::string state;
      pid_t of = 0;
      fields >> state >> of;
      if (of == parent) children.push_back(std::stoi(stat));
    }
    std::ranges::sort(children);
    return children;
  }
};

TEST_F(CliMpi, ProcessesTogetherPredictWhatOneDoes) {
  const fs::path data = data_set(6);
  std::ofstream(data / "n01443537" / "00_bad.jpg") << "<html>";
  EXPECT_EQ(run_command(compare(folder_ / "one")).exit_code, 3);
  const std::vector<std::string> one = without_times(folder_ / "one" / "predictions.csv");
  ASSERT_EQ(one.size(), 19U);
  for (const int processes : {1, 2, 4}) {
    const fs::path out = folder_ / ("mpi" + std::to_string(processes));
    const Outcome outcome = run_command(mpi(processes, out));
    EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
    EXPECT_EQ(without_times(out / "predictions.csv"), one) << processes;
    EXPECT_NE(outcome.err.find("00_bad.jpg"), std::string::npos) << outcome.err;
    // Rank 0 alone speaks.
    EXPECT_EQ(outcome.out.find("COMPARISON SUMMARY"), outcome.out.rfind("COMPARISON SUMMARY"));
    EXPECT_EQ(outcome.err.find("Evaluating"), outcome.err.rfind("Evaluating")) << outcome.err;
  }
  const Outcome batches = run_command(mpi(2, folder_ / "batches", {"--batch", "4", "--max-errors", "1"}));
  EXPECT_EQ(batches.exit_code, 0) << batches.err;
  EXPECT_EQ(without_times(folder_ / "batches" / "predictions.csv"), one);
}

TEST_F(CliMpi, GoesOnAfterAProcessWasKilled) {
  data_set(40);
  const fs::path out = folder_ / "run";
  const pid_t mpirun = start_command(mpi(3, out));
  wait_for_rows(out, 12, mpirun);
  const std::vector<pid_t> ranks = children_of(mpirun);
  ASSERT_EQ(ranks.size(), 3U);
  ::kill(ranks.back(), SIGKILL);
  EXPECT_NE(wait(mpirun).exit_code, 0);
  const std::string log = read_file(out / "run.log");
  const auto kept = std::ranges::count(log, '\n') - 2;
  EXPECT_GE(kept, 12);
  const Outcome resumed = run_command(mpi(2, out));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find(std::to_string(kept) + " pictures are done"), std::string::npos) << resumed.err;
  // A run is its log, whoever wrote it: one process finds nothing to do, and another run gives the same.
  EXPECT_NE(run_command(compare(out)).err.find("120 pictures are done, 0 are left"), std::string::npos);
  EXPECT_EQ(run_command(compare(folder_ / "one")).exit_code, 0);
  EXPECT_EQ(without_times(out / "predictions.csv"), without_times(folder_ / "one" / "predictions.csv"));
}

// A signal to any of the processes ends the run of all, with results.
TEST_F(CliMpi, KeepsResultsWhenOneProcessIsTerminated) {
  data_set(40);
  const fs::path out = folder_ / "run";
  const pid_t mpirun = start_command(mpi(2, out));
  wait_for_rows(out, 4, mpirun);
  const std::vector<pid_t> ranks = children_of(mpirun);
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks.back(), SIGTERM);
  EXPECT_EQ(wait(mpirun).exit_code, 143);
  const std::size_t rows = without_times(out / "predictions.csv").size();
  EXPECT_GE(rows, 4U);
  EXPECT_LT(rows, 120U);
  EXPECT_EQ(Json::parse(read_file(out / "summary.json")).at("interrupted"), true);
}

// After Ctrl-C mpirun gives its processes a second or two: the log has what was done, and the same command goes on.
TEST_F(CliMpi, GoesOnAfterMpirunWasInterrupted) {
  data_set(40);
  const fs::path out = folder_ / "run";
  const pid_t mpirun = start_command(mpi(2, out));
  wait_for_rows(out, 4, mpirun);
  ::kill(mpirun, SIGINT);
  EXPECT_NE(wait(mpirun).exit_code, 0);
  const std::string log = read_file(out / "run.log");
  EXPECT_GE(std::ranges::count(log, '\n'), 6);
  const Outcome resumed = run_command(mpi(2, out));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("Going on with "), std::string::npos) << resumed.err;
  EXPECT_EQ(without_times(out / "predictions.csv").size(), 120U);
}

TEST_F(CliMpi, RefusesAProcessThatIsSetUpOtherwise) {
  data_set();
  const fs::path out = folder_ / "run";
  const auto expect_refused = [&](const std::vector<std::string>& second, const std::string& part) {
    const Outcome outcome = run_command(mpi_pair(out, {"--isa", "avx2"}, second));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("tessera: rank 1 on "), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(out / "run.log"));
  };
  expect_refused({"--isa", "sse4"}, "models/0/isa: \"sse4\" there, \"avx2\" here");
  std::vector<std::string> other_weights = {"--isa", "avx2", "--model", kVit};
  expect_refused(other_weights, "models/2/");
}

TEST_F(CliMpi, SaysWhatAnotherProcessFailedWith) {
  data_set();
  const Outcome outcome = run_command(mpi_pair(folder_ / "run", {}, {"--model", "missing.h5"}));
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_NE(outcome.err.find("tessera: rank 1 on "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("missing.h5"), std::string::npos) << outcome.err;
}

TEST_F(Cli, SaysThatABuildHasNoMpi) {
  if (TESSERA_HAS_MPI) GTEST_SKIP() << "built with MPI";
  const Outcome outcome =
      run({"compare", "--mpi", "--data", data_set().string(), "--model", kVit, "--out", (folder_ / "run").string()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("this build of tessera has no MPI"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tessera::cli_test
