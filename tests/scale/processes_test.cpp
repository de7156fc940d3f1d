// Leader and helpers in threads of one process: each picture once, whatever happens to one of them.
#include <atomic>
#include <limits>
#include <set>
#include <thread>

#include "core/error.h"
#include "scale/helper.h"
#include "scale/leader.h"
#include "scale/protocol.h"
#include "tests/evaluation/run_fixture.h"
#include "tests/scale/messenger_in_process.h"

namespace tessera {
namespace {

class Processes : public SmallRun {
 protected:
  static constexpr int kProcesses = 3;

  // As the command does it. What a helper fails with goes to rank 0.
  static void help(World& world, int rank, const Dataset& dataset, const RunPlan& plan, const std::atomic<bool>& stop) {
    world.enter(rank);
    Messenger messenger;
    Helper helper(messenger, stop);
    try {
      auto models = two_models();
      helper.run(models, dataset, plan);
    } catch (const Error& error) {
      helper.fail(error.kind(), error.what());
    }
    helper.wait_for_end();
  }
  // A run of all; `others` is the plan of the last helper.
  static ComparisonResult run(const Dataset& dataset, const RunPlan& plan, const RunPlan& others, const RunVoice& voice,
                              const std::atomic<bool>& stop) {
    World world(kProcesses);
    std::vector<std::jthread> helpers;
    for (int rank = 1; rank < kProcesses; ++rank) {
      const RunPlan& mine = rank == kProcesses - 1 ? others : plan;
      helpers.emplace_back([&, rank] { help(world, rank, dataset, mine, stop); });
    }
    world.enter(0);
    Messenger messenger;
    Leader leader(messenger, stop);
    auto models = two_models();
    return leader.run(models, dataset, plan, voice);
  }
};

TEST_F(Processes, TogetherPredictWhatOneDoes) {
  const Dataset dataset = pictures(60);
  auto models = two_models();
  const std::atomic<bool> never{false};
  const ComparisonResult one = run_comparison(models, dataset, plan(models, dataset, "one"), never, silent());
  const RunPlan together = plan(models, dataset, "together");
  const ComparisonResult all = run(dataset, together, together, silent(), never);
  expect_all(all, 60);
  expect_same_predictions(all, one);
  EXPECT_EQ(read_run(together.folder).rows.size(), 60U);
  expect_all(run(dataset, together, together, silent(), never), 60);  // nothing is left to do
}

TEST_F(Processes, StopTogetherAndGoOn) {
  const Dataset dataset = pictures(60);
  const auto models = two_models();
  const RunPlan together = plan(models, dataset);
  std::size_t sittings = 0;
  for (bool interrupted = true; interrupted; ++sittings) {
    ASSERT_LT(sittings, 20U);
    std::atomic<bool> stop{false};
    RunVoice voice = silent();
    voice.progress = [&](const ComparisonProgress& progress) { stop = progress.here >= 12; };
    const ComparisonResult result = run(dataset, together, together, voice, stop);
    interrupted = result.interrupted;
    if (!interrupted) expect_all(result, 60);
  }
  EXPECT_GE(sittings, 2U);
}

TEST_F(Processes, EndWhenOneIsSetUpOtherwise) {
  const Dataset dataset = pictures(60);
  const auto models = two_models();
  const RunPlan together = plan(models, dataset);
  RunPlan other = together;
  other.header.settings["isa"] = "other";
  const std::atomic<bool> never{false};
  try {
    run(dataset, together, other, silent(), never);
    FAIL() << "it was not refused";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("rank 2 on host2 is set up otherwise"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("isa"), std::string::npos) << error.what();
  }
}

TEST_F(Processes, EndWithWhatOneFailedWith) {
  const Dataset dataset = pictures(60);
  const auto models = two_models();
  const RunPlan together = plan(models, dataset);
  RunPlan broken = together;
  broken.options.batch = kBatch + 1;  // for which its models were not opened
  const std::atomic<bool> never{false};
  try {
    run(dataset, together, broken, silent(), never);
    FAIL() << "it did not fail";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_NE(std::string(error.what()).find("rank 2 on host2: a model was opened for a smaller batch"),
              std::string::npos)
        << error.what();
  }
}

// A leader that says what none says.
TEST_F(Processes, AHelperRefusesNumbersThatAreNoPictures) {
  const Dataset dataset = pictures(4);
  const auto models = two_models();
  const RunPlan mine = plan(models, dataset);
  const std::int64_t far = std::int64_t{1} << 40, negative = -1;
  const std::pair<int, std::string> messages[] = {{kNumbers, bytes_of(std::span(&far, 1))},
                                                  {kNumbers, bytes_of(std::span(&negative, 1))},
                                                  {kNumbers, "1234567"},
                                                  {99, ""}};
  for (const auto& [kind, bytes] : messages) {
    World world(2);
    const std::atomic<bool> never{false};
    std::jthread helper([&] { help(world, 1, dataset, mine, never); });
    std::atomic<int> failures{0};
    std::atomic<bool> over{false};
    world.enter(0);
    Messenger messenger;
    messenger.listen([&, kind = kind, bytes = bytes](const Message& message) {
      if (message.kind == kAsk) messenger.send(1, kind, bytes);
      if (message.kind == kDone || message.kind == kFailed) {
        failures += message.kind == kFailed;
        messenger.send(1, kEnd, "");
        over = true;
        over.notify_all();
      }
    });
    over.wait(false);
    messenger.close();
    EXPECT_EQ(failures, 1) << "kind " << kind << ", " << bytes.size() << " bytes";
  }
}

TEST(Messages, AreReadOrRefused) {
  EXPECT_TRUE(numbers_of("").empty());
  const std::vector<std::int64_t> numbers{0, -5, std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(numbers_of(bytes_of(numbers)), numbers);
  EXPECT_EQ(speed_of(bytes_of(12.5)), 12.5);
  for (const char* bytes : {"1", "1234567", "123456789"}) EXPECT_THROW(numbers_of(bytes), InternalError) << bytes;
  for (const std::string& bytes : {std::string(), std::string("1234567"), bytes_of(-1.0), bytes_of(std::nan("")),
                                   bytes_of(std::numeric_limits<double>::infinity())}) {
    EXPECT_THROW(speed_of(bytes), InternalError) << bytes.size();
  }
  EXPECT_EQ(error_kind_of(3), ErrorKind::kInput);
  for (const int kind : {0, 8, -1, 1 << 30}) EXPECT_EQ(error_kind_of(kind), ErrorKind::kInternal) << kind;
}

}  // namespace
}  // namespace tessera
