// Whole models on the plugin's own sources and the emulated device, against the readable layers on the host: logits,
// taps, batches, parts of a batch on two streams, recordings, observers; and what happens when memory runs out.

#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "engine/node_times.h"
#include "engine/program.h"
#include "models/registry.h"
#include "tests/cpu/random_layer.h"
#include "tests/cuda/device_fixture.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

// Seeded: the largest logit is some 1 to 5. `slack` scales float32's tolerance, as seeded models differ in how much
// they magnify a rounding.
struct Subject {
  const char* name;
  const char* architecture;
  const char* overrides;
  const char* tap;  // of a value in the middle
};
// Sanitizers make the host's side some twenty times slower: pictures are smaller there, and transformers less deep.
#ifdef TESSERA_UNDER_ASAN
constexpr Subject kSubjects[] = {
    {"resnet50", "resnet50", R"({"image_size": 64})", "layer2.1"},
    {"vit_base", "vit_base_patch16_224", R"({"image_size": 64, "depth": 2})", "blocks.1"},
    {"efficientnet_lite0", "efficientnet_lite0", R"({"image_size": 64})", "blocks.2.1"},
    {"dinov2_small", "vit_small_patch14_reg4_dinov2", R"({"image_size": 56, "depth": 3})", "blocks.2"},
};
#else
constexpr Subject kSubjects[] = {
    {"resnet50", "resnet50", "{}", "layer2.1"},
    // A block more is the same again.
    {"vit_base", "vit_base_patch16_224", R"({"depth": 3})", "blocks.1"},
    {"efficientnet_lite0", "efficientnet_lite0", "{}", "blocks.2.1"},
    {"dinov2_small", "vit_small_patch14_reg4_dinov2", R"({"image_size": 224, "depth": 4})", "blocks.2"},
};
#endif

Tensor pictures(const Graph& graph, std::int64_t count) {
  Shape shape = graph.shape(graph.input_id());
  shape[0] = count;
  return Draw(5).tensor(shape, 1.5);
}

struct Compiled {
  std::shared_ptr<const Program> program;
  std::unique_ptr<Session> session;
};
Compiled compile(const Subject& subject, const Backend& backend, std::int64_t batch,
                 const std::vector<std::string>& taps = {}) {
  const ModelConfig config = make_config(subject.architecture, nlohmann::json::parse(subject.overrides));
  LoadedModel model = seeded_model(config, 7, 2);
  Compiled compiled;
  compiled.program = Program::compile(build_graph(config, batch), std::move(model.weights), backend,
                                      {.taps = taps, .threads = backend.device() == nullptr ? 2 : 1});
  compiled.session = std::make_unique<Session>(compiled.program);
  return compiled;
}

// What the host says of two pictures, and its tap of the first.
struct Expected {
  Tensor logits, tap;
};
const Expected& expected(const Subject& subject) {
  static std::map<std::string, Expected> known;
  const auto found = known.find(subject.name);
  if (found != known.end()) return found->second;
  const std::unique_ptr<Backend> host = make_eigen_backend();
  const Compiled compiled = compile(subject, *host, 2, {subject.tap});
  const Tensor x = pictures(compiled.program->graph(), 2);
  const ConstView logits = compiled.session->run(x.view());
  return known[subject.name] = {Tensor::from(logits.values(), logits.shape()), compiled.session->tap(subject.tap)};
}

double largest(std::span<const float> values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

// The worst difference, relative to the largest value that is expected.
double difference(std::span<const float> found, std::span<const float> wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
    const double distance = std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i]));
    if (!(distance <= worst)) worst = std::isnan(distance) ? INFINITY : distance;
  }
  return worst / largest(wanted);
}

// Some fifty layers deep, roundings add up as a random walk: what one costs, times ten.
double allowed(DevicePrecision precision) {
  switch (precision) {
    case DevicePrecision::kF32:
      return 2e-5;
    case DevicePrecision::kBf16:
      return 10 * 0x1p-8;
    default:
      return 10 * 0x1p-11;
  }
}

class DeviceModels : public testing::TestWithParam<std::tuple<Subject, DevicePrecision>> {};

TEST_P(DeviceModels, EqualTheHostInLogitsAndTaps) {
  const auto& [subject, precision] = GetParam();
  const EmulatedDevice device(precision);
  const Compiled compiled = compile(subject, device.backend(), 2, {subject.tap});
  const Tensor x = pictures(compiled.program->graph(), 2);
  const ConstView logits = compiled.session->run(x.view());
  const double error = difference(logits.values(), expected(subject).logits.values());
  const double tap_error = difference(compiled.session->tap(subject.tap).values(), expected(subject).tap.values());
  EXPECT_LE(error, allowed(precision));
  EXPECT_LE(tap_error, allowed(precision));
  std::printf("%s %s: logits %.1e, %s %.1e, of %.1e\n", subject.name, to_string(precision).data(), error, subject.tap,
              tap_error, allowed(precision));
}

std::string model_name(const testing::TestParamInfo<DeviceModels::ParamType>& info) {
  const auto& [subject, precision] = info.param;
  return std::string(subject.name) + "_" + std::string(to_string(precision));
}
INSTANTIATE_TEST_SUITE_P(All, DeviceModels,
                         testing::Combine(testing::ValuesIn(kSubjects), testing::ValuesIn(kPrecisions)), model_name);

// The small one, for what does not depend on the model.
constexpr Subject kSmall{"vit_tiny", "vit_tiny_patch16_224", R"({"image_size": 32, "depth": 2})", "blocks.0"};
constexpr Subject kSmallConvolutional{"resnet18", "resnet18", R"({"image_size": 32})", "layer1.0"};

class DeviceSessions : public testing::TestWithParam<Subject> {
 protected:
  EmulatedDevice device_{DevicePrecision::kF32};
};

TEST_P(DeviceSessions, RecordingsGiveTheSameBitsInEverySchedule) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 2);
  const Tensor x = pictures(compiled.program->graph(), 2);
  const std::int64_t before = emulated::counts().graph_launches;
  const ConstView first = compiled.session->run(x.view());
  const std::vector<float> unrecorded(first.values().begin(), first.values().end());
  EXPECT_EQ(emulated::counts().graph_launches, before);
  for (const emulated::Order order :
       {emulated::Order::kForward, emulated::Order::kReverse, emulated::Order::kShuffled}) {
    emulated::set_schedule({order, 9});
    EXPECT_TRUE(same_bits(compiled.session->run(x.view()).values(), unrecorded));
  }
  EXPECT_EQ(emulated::counts().graph_launches, before + 3);
}

TEST_P(DeviceSessions, ARecordingReadsTheNewPictures) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 1);
  const Tensor two = pictures(compiled.program->graph(), 2);
  std::vector<std::vector<float>> found;
  for (const std::int64_t picture : {0, 0, 0, 1}) {
    const ConstView logits = compiled.session->run(two.view().slice(picture));
    found.emplace_back(logits.values().begin(), logits.values().end());
  }
  EXPECT_TRUE(same_bits(found[0], found[2]));
  EXPECT_GT(difference(found[3], found[0]), 1e-3);
  EXPECT_LE(difference(found[3], std::span(expected(GetParam()).logits.values()).subspan(found[3].size())), 2e-5);
}

TEST_P(DeviceSessions, SmallerBatchesRunInTheSameMemory) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 5);
  const Tensor x = pictures(compiled.program->graph(), 5);
  const ConstView whole = compiled.session->run(x.view());
  const std::vector<float> wanted(whole.values().begin(), whole.values().end());
  Shape three = x.shape();
  three[0] = 3;
  for (int run = 0; run < 3; ++run) {  // plain, recorded, replayed
    const ConstView part = compiled.session->run({x.data(), three});
    EXPECT_LE(difference(part.values(), std::span(wanted).first(part.values().size())), 2e-5);
  }
}

// A kernel makes what it needs for a number of pictures when it first meets it: while work is under way, and on the
// stream of the queue that asks.
TEST_P(DeviceSessions, ANumberOfPicturesThatWasNotSeenYetRunsOnItsQueuesStream) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 5);
  const Tensor x = pictures(compiled.program->graph(), 2);
  EXPECT_LE(difference(compiled.session->run(x.view()).values(), expected(GetParam()).logits.values()), 2e-5);
}

// More pictures than go through at a time: copies of the next ones on a second stream, two slots, in every schedule.
TEST_P(DeviceSessions, LargeBatchesGoThroughInPartsOnTwoStreams) {
  constexpr std::int64_t kPictures = 192;
  const Compiled compiled = compile(GetParam(), device_.backend(), kPictures);
  ASSERT_LT(compiled.program->at_a_time(), kPictures);
  const Tensor x = pictures(compiled.program->graph(), kPictures);
  for (const emulated::Order order : {emulated::Order::kForward, emulated::Order::kShuffled}) {
    emulated::set_schedule({order, 4});
    const ConstView logits = compiled.session->run(x.view());
    const std::vector<float> found(logits.values().begin(), logits.values().end());
    const Compiled alone = compile(GetParam(), device_.backend(), 1);
    const std::size_t classes = found.size() / kPictures;
    for (const std::int64_t picture : {0, 63, 64, 100, 191}) {
      const ConstView one = alone.session->run(x.view().slice(picture));
      EXPECT_LE(
          difference(std::span(found).subspan(static_cast<std::size_t>(picture) * classes, classes), one.values()),
          2e-5)
          << picture;
    }
  }
}

TEST_P(DeviceSessions, SessionsOfOneProgramDoNotDisturbEachOther) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 1);
  Session other(compiled.program);
  const Tensor two = pictures(compiled.program->graph(), 2);
  for (int run = 0; run < 3; ++run) {
    for (const std::int64_t picture : {0, 1}) {
      Session& session = picture == 0 ? *compiled.session : other;
      const ConstView logits = session.run(two.view().slice(picture));
      const std::size_t classes = logits.values().size();
      EXPECT_LE(difference(logits.values(), std::span(expected(GetParam()).logits.values())
                                                .subspan(static_cast<std::size_t>(picture) * classes, classes)),
                2e-5);
    }
  }
}

TEST_P(DeviceSessions, AProfileHasATimeForEachNode) {
  const Compiled compiled = compile(GetParam(), device_.backend(), 2);
  const Tensor x = pictures(compiled.program->graph(), 2);
  NodeTimes profile(*compiled.program);
  Observer* const observers[] = {&profile};
  for (int run = 0; run < 2; ++run) {
    const ConstView logits = compiled.session->run(x.view(), observers);
    EXPECT_LE(difference(logits.values(), expected(GetParam()).logits.values()), 2e-5);
  }
  const std::vector<NodeTime> rows = profile.rows();
  ASSERT_EQ(rows.size(), compiled.program->graph().nodes().size());
  for (const NodeTime& row : rows) EXPECT_THAT(row.times_us, testing::Each(testing::Gt(0))) << row.path;
}

// Each allocation in turn fails: the error is one of memory, and nothing is left behind.
TEST_P(DeviceSessions, MemoryThatRunsOutIsAResourceError) {
  int failures = 0;
  for (std::int64_t allocation = 0;; allocation += 7) {
    emulated::fail_allocation_after(allocation);
    try {
      const Compiled compiled = compile(GetParam(), device_.backend(), 1);
      const Tensor x = pictures(compiled.program->graph(), 1);
      compiled.session->run(x.view());
      break;
    } catch (const ResourceError& error) {
      ++failures;
      EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos) << error.what();
    }
  }
  emulated::fail_allocation_after(-1);
  EXPECT_GT(failures, 3);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // what was told is not kept for the next launch
}

std::string subject_name(const testing::TestParamInfo<Subject>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Small, DeviceSessions, testing::Values(kSmall, kSmallConvolutional), subject_name);

TEST(EmulatedDevices, OneThatIsMissingOrTooOldIsADeviceError) {
  const auto refused = [](const DeviceOptions& options) -> std::string {
    try {
      open_device(open_plugin(TESSERA_EMULATED_PLUGIN), options);
      return "opened";
    } catch (const DeviceError& error) {
      return error.what();
    }
  };
  emulated::set_device_count(0);
  EXPECT_NE(refused({}).find("no"), std::string::npos) << refused({});
  emulated::set_device_count(-1);
  EXPECT_NE(refused({}).find("driver"), std::string::npos) << refused({});
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  emulated::set_device_count(1);
  EXPECT_NE(refused({.index = 1}).find("device 1"), std::string::npos) << refused({.index = 1});
  emulated::set_compute_capability(70);
  EXPECT_NE(refused({}).find("too old"), std::string::npos) << refused({});
  emulated::set_compute_capability(90);
}

TEST(EmulatedDevices, SayThatTheyAreNone) {
  const auto device = open_device(open_plugin(TESSERA_EMULATED_PLUGIN), {});
  EXPECT_EQ(facts_of(*device).emulated, 1);
  EXPECT_NE(describe_device(facts_of(*device)).find("emulated"), std::string::npos);
}

}  // namespace
}  // namespace tessera
