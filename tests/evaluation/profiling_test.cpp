// Profiles: groups, the roofline, comparisons, and the trace file against the Trace Event Format.

#include "evaluation/inspect/profiling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "evaluation/inspect/profile_formats.h"
#include "evaluation/inspect/trace.h"

namespace tessera {
namespace {

ProfileSetting setting(const std::string& model, int threads = 2, std::int64_t batch = 1) {
  RunOptions run;
  run.threads = threads;
  run.max_batch = batch;
  return {model, run};
}

// One run of the models for all tests: the roofline alone takes a second.
const ProfileResult& profiled() {
  static const ProfileResult result =
      profile_models({.settings = {setting("seeded:resnet18@1"), setting("seeded:vit_tiny_patch16_224@1", 1),
                                   setting("seeded:resnet18@1", 2, 3), setting("seeded:resnet18@1", 2, 4)},
                      .warm_ups = 1,
                      .runs = 5,
                      .trace = true});
  return result;
}

TEST(Profiling, HoldsEachNodeAgainstTheRoofline) {
  const ModelProfile& profile = profiled().profiles[0];
  const ProfileLine& conv = profile.nodes[0];
  EXPECT_EQ(conv.name, "conv1");
  EXPECT_EQ(conv.layer, "Conv2d");
  EXPECT_EQ(conv.computes, (std::vector<std::string>{"conv1", "bn1", "act1"}));
  EXPECT_EQ(conv.macs, 112LL * 112 * 64 * 147);
  EXPECT_NEAR(conv.gflops, 2.0 * static_cast<double>(conv.macs) / conv.us.median / 1e3, 1e-9);
  EXPECT_NEAR(conv.intensity, 2.0 * static_cast<double>(conv.macs) / static_cast<double>(conv.bytes), 1e-9);
  EXPECT_NEAR(conv.of_roof, std::max(conv.gflops / profile.roof.gflops, conv.gbs / profile.roof.read_gbs), 1e-9);
  const ProfileLine& pool = profile.nodes[1];  // no multiply-adds: memory alone
  EXPECT_EQ(pool.layer, "Pool2d");
  EXPECT_TRUE(pool.memory_bound);
  EXPECT_NEAR(pool.of_roof, pool.gbs / profile.roof.read_gbs, 1e-9);
  for (const ProfileLine& node : profile.nodes) {
    EXPECT_EQ(node.times_us.size(), 5U);
    EXPECT_LE(node.us.min, node.us.median);
    EXPECT_LE(node.us.median, node.us.p99);
  }
}

TEST(Profiling, GroupsAddUp) {
  for (const ModelProfile& profile : profiled().profiles) {
    for (const GroupBy by : {GroupBy::kType, GroupBy::kStage, GroupBy::kBlock}) {
      std::size_t nodes = 0;
      std::int64_t macs = 0, bytes = 0;
      double share = 0;
      std::vector<double> runs(5), expected(5);
      for (const ProfileLine& node : profile.nodes) {
        macs -= node.macs;
        bytes -= node.bytes;
        for (std::size_t run = 0; run < 5; ++run) expected[run] += node.times_us[run];
      }
      for (const ProfileLine& group : lines_of(profile, by)) {
        nodes += group.nodes;
        macs += group.macs;
        bytes += group.bytes;
        share += group.share;
        for (std::size_t run = 0; run < 5; ++run) runs[run] += group.times_us[run];
      }
      EXPECT_EQ(nodes, profile.nodes.size());
      EXPECT_EQ(macs, 0);
      EXPECT_EQ(bytes, 0);
      EXPECT_NEAR(share, 1, 1e-9);
      for (std::size_t run = 0; run < 5; ++run) EXPECT_NEAR(runs[run], expected[run], 1e-6);
    }
  }
  std::vector<std::string> stages;
  for (const ProfileLine& line : lines_of(profiled().profiles[0], GroupBy::kStage)) stages.push_back(line.name);
  EXPECT_EQ(stages, (std::vector<std::string>{"conv1", "maxpool", "layer1", "layer2", "layer3", "layer4", "global_pool",
                                              "fc"}));
}

// The nodes of a run lie within it: what is left is the gap.
TEST(Profiling, TheGapIsWhatARunTakesBeyondItsNodes) {
  for (const ModelProfile& profile : profiled().profiles) {
    EXPECT_GT(profile.gap_us, 0);
    EXPECT_LE(profile.gap_us, profile.run_us.median) << profile.model;
  }
}

TEST(Profiling, ComparesLinesInTheOrderOfExecution) {
  const auto profile = [](const std::vector<std::string>& names) {
    ModelProfile made;
    for (const std::string& name : names) made.nodes.push_back({.name = name, .us = {1, 2, 3}});
    return made;
  };
  const std::vector<ModelProfile> profiles{profile({"a", "b", "d"}), profile({"a", "x", "b", "c", "d", "e"})};
  const std::vector<ComparedLine> lines = compare_lines(profiles, GroupBy::kNode);
  std::string order;
  for (const ComparedLine& line : lines) order += line.name;
  EXPECT_EQ(order, "axbcde");
  EXPECT_FALSE(lines[1].lines[0]);
  EXPECT_TRUE(lines[1].lines[1]);
  const nlohmann::json json = comparison_json(profiled().profiles, GroupBy::kType);
  for (const nlohmann::json& line : json.at("comparison").at("lines")) {
    if (line.at("name") == "Conv2d") {
      EXPECT_EQ(line.at("median_us")[1], nullptr);
    }
    if (line.at("name") == "Attention") {
      EXPECT_EQ(line.at("ratio")[1], nullptr);
    }
  }
}

TEST(Profiling, RefusesUnknownGroups) { EXPECT_THROW(group_by_from_string("layer"), UsageError); }

// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: an object with "traceEvents";
// "X" has name, cat, pid, tid, ts and dur in microseconds; "M" has name and args. On a row they nest perfectly, which
// Perfetto insists on (https://perfetto.dev/docs/faq).
TEST(Trace, KeepsToTheTraceEventFormat) {
  const std::vector<std::string> names{"first", "second", "third", "fourth"};
  const nlohmann::json document = nlohmann::json::parse(trace_document(profiled().traces, names).dump());
  EXPECT_EQ(document.at("displayTimeUnit"), "ms");
  struct Span {
    std::int64_t begin, end;  // ns
  };
  std::map<std::pair<int, int>, std::vector<Span>> open;
  std::map<std::pair<int, int>, std::string> rows;
  std::map<int, std::string> processes;
  std::map<std::string, int> counts;
  std::map<std::pair<int, std::string>, int> of_lanes;  // of the batch whose parts go to two threads
  double last = 0;
  for (const nlohmann::json& event : document.at("traceEvents")) {
    ASSERT_TRUE(event.at("pid").is_number_integer() && event.at("tid").is_number_integer());
    ASSERT_TRUE(event.at("name").is_string() && event.at("args").is_object());
    const std::pair row{event.at("pid").get<int>(), event.at("tid").get<int>()};
    if (event.at("ph") == "M") {
      if (event.at("name") == "process_name") processes[row.first] = event.at("args").at("name");
      if (event.at("name") == "thread_name") rows[row] = event.at("args").at("name");
      continue;
    }
    ASSERT_EQ(event.at("ph"), "X");
    ++counts[event.at("cat")];
    if (row.first == 4) ++of_lanes[{row.second, event.at("cat")}];
    EXPECT_TRUE(rows.contains(row)) << "a row without a name";
    const double ts = event.at("ts"), dur = event.at("dur");
    ASSERT_GE(ts, last) << "not in the order of time";
    ASSERT_GE(dur, 0);
    last = ts;
    const Span span{std::llround(ts * 1000), std::llround((ts + dur) * 1000)};
    std::vector<Span>& stack = open[row];
    while (!stack.empty() && stack.back().end <= span.begin) stack.pop_back();
    if (!stack.empty()) {
      ASSERT_LE(span.end, stack.back().end) << event << " ends after what it began in";
    }
    stack.push_back(span);
  }
  EXPECT_EQ(processes, (std::map<int, std::string>{{1, "first"}, {2, "second"}, {3, "third"}, {4, "fourth"}}));
  EXPECT_EQ(counts["run"], 20);
  std::size_t nodes = 0;
  for (const ModelProfile& profile : profiled().profiles) nodes += 5 * profile.nodes.size();
  EXPECT_GE(counts["node"], static_cast<int>(nodes));  // more where a batch is run in parts
  EXPECT_GT(counts["stage"], 0);
  EXPECT_GT(counts["thread"], counts["node"]);  // on two threads each region has two parts
  // Which thread takes which part is not fixed.
  const int nodes_of_a_part = static_cast<int>(profiled().profiles[3].nodes.size());
  for (const int thread : {1, 2}) {
    EXPECT_EQ(of_lanes[std::pair(thread, "thread")], 5) << "a part of each run";
    EXPECT_EQ(of_lanes[std::pair(thread, "node")] % nodes_of_a_part, 0) << "whole parts of a batch";
  }
  const int in_all = of_lanes[std::pair(1, "node")] + of_lanes[std::pair(2, "node")];
  EXPECT_GE(in_all, 5 * 2 * nodes_of_a_part) << "two parts or more of each run";
  EXPECT_EQ(in_all % (5 * nodes_of_a_part), 0) << "as many of each";
  EXPECT_TRUE(rows.contains({1, 2}) && !rows.contains({2, 2})) << "a row a thread";
  EXPECT_GT(counts["block"], 0);
}

// A run is as long as in the profile: times are in microseconds.
TEST(Trace, HasTheTimesOfTheProfile) {
  const nlohmann::json document = trace_document(profiled().traces, {"a", "b", "c", "d"});
  std::vector<double> runs;
  std::map<std::string, double> node_us;
  for (const nlohmann::json& event : document.at("traceEvents")) {
    if (event.at("pid") != 1 || event.at("ph") == "M") continue;
    if (event.at("cat") == "run") runs.push_back(event.at("dur"));
    if (event.at("cat") == "node") node_us[event.at("name")] += event.at("dur").get<double>();
  }
  std::ranges::sort(runs);
  const ModelProfile& profile = profiled().profiles[0];
  EXPECT_NEAR(runs[2], profile.run_us.median, 0.05 * profile.run_us.median);
  for (const ProfileLine& line : profile.nodes) {
    double sum = 0;
    for (const double us : line.times_us) sum += us;
    EXPECT_NEAR(node_us[line.name], sum, 0.01) << line.name;
  }
}

}  // namespace
}  // namespace tessera
