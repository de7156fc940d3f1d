#include "evaluation/inspect/profiling.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/quantile.h"
#include "device/device_backend.h"
#include "engine/module_tree.h"
#include "engine/node_times.h"
#include "evaluation/inspect/trace.h"
#include "evaluation/ready/model_names.h"

namespace tessera {

namespace {

Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  return {values.front(), quantile(values, 0.5), quantile(values, 0.99)};
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return quantile(values, 0.5);
}

// Whole runs: watched[i] beside unwatched[i], and what the nodes of watched[i] take together.
struct RunTimes {
  std::vector<double> watched_us, unwatched_us;
  std::vector<RunClock> clocks;  // of the unwatched ones, on a device
};

// What follows from times, amounts and the roof.
void derive(ProfileLine& line, double all_medians_us) {
  line.us = spread_of(line.times_us);
  if (all_medians_us > 0) line.share = line.node_medians_us / all_medians_us;
  const double operations = 2 * static_cast<double>(line.macs);
  if (line.us.median > 0) {
    line.gflops = operations / line.us.median / 1e3;
    line.gbs = static_cast<double>(line.bytes) / line.us.median / 1e3;
    line.of_roof = line.roof_us / line.us.median;
  }
  if (line.bytes > 0) line.intensity = operations / static_cast<double>(line.bytes);
}

void put_under_roof(ProfileLine& line, const Roofline& roof) {
  if (roof.gflops <= 0 || roof.read_gbs <= 0) return;
  const double compute_us = 2 * static_cast<double>(line.macs) / roof.gflops / 1e3;
  const double memory_us = static_cast<double>(line.bytes) / roof.read_gbs / 1e3;
  line.roof_us = std::max(compute_us, memory_us);
  line.memory_bound = memory_us > compute_us;
}

std::vector<ProfileLine> node_lines(const NodeTimes& profile, const Roofline& roof) {
  std::vector<ProfileLine> lines;
  double all = 0;
  for (NodeTime& row : profile.rows()) {
    ProfileLine line{.name = row.path,
                     .layer = std::move(row.layer),
                     .kernel = std::move(row.implementation),
                     .output = to_string(row.output),
                     .computes = std::move(row.origin),
                     .stage = stage_of(row.path),
                     .block = block_of(row.path),
                     .macs = row.macs,
                     .bytes = row.bytes,
                     .times_us = std::move(row.times_us)};
    line.node_medians_us = median_of(line.times_us);
    all += line.node_medians_us;
    put_under_roof(line, roof);
    lines.push_back(std::move(line));
  }
  for (ProfileLine& line : lines) derive(line, all);
  return lines;
}

class Profiler {
 public:
  Profiler(const ProfileSetting& setting, bool with_trace)
      : setting_(setting),
        classifier_(setting.model, setting.run),
        input_(Tensor::filled(classifier_.input_shape(batch()), 0.5F)),
        profile_(classifier_.program()) {
    observers_.push_back(&profile_);
    if (!with_trace) return;
    trace_ = std::make_unique<Trace>(classifier_.program());
    observers_.push_back(trace_.get());
  }

  void run_unwatched() { classifier_.run(input_.view()); }

  // One run with observers and one without, the order changing from round to round.
  void round(int number) {
    if (number % 2 == 0) time_unwatched();
    classifier_.session().observe_threads(trace_.get());
    const std::int64_t begin = now_ns();
    times_.watched_us.push_back(time([&] { classifier_.session().run(input_.view(), observers_); }));
    if (trace_) trace_->end_run(begin, now_ns());
    classifier_.session().observe_threads(nullptr);
    if (number % 2 != 0) time_unwatched();
  }

  ModelProfile result(const Roofline& roof) const {
    ModelProfile result{.model = setting_.model,
                        .device = std::string(classifier_.program().backend()),
                        .dtype = setting_.run.dtype,
                        .threads = setting_.run.threads,
                        .batch = batch(),
                        .runs = static_cast<int>(times_.watched_us.size()),
                        .roof = roof,
                        .clocks = device_clocks(),
                        .nodes = node_lines(profile_, roof)};
    std::vector<double> gaps = times_.watched_us, watching;
    for (const ProfileLine& node : result.nodes) {
      result.sum_of_medians_us += node.node_medians_us;
      for (std::size_t run = 0; run < gaps.size(); ++run) gaps[run] -= node.times_us[run];
    }
    for (std::size_t run = 0; run < gaps.size(); ++run) {
      watching.push_back(times_.watched_us[run] / times_.unwatched_us[run] - 1);
    }
    result.run_us = spread_of(times_.watched_us);
    result.unwatched_us = spread_of(times_.unwatched_us);
    result.gap_us = median_of(std::move(gaps));
    result.watching = median_of(std::move(watching));
    return result;
  }

  std::unique_ptr<Trace> take_trace() { return std::move(trace_); }
  const RunOptions& run_options() const { return setting_.run; }
  bool on_device() const { return classifier_.program().device() != nullptr; }

 private:
  void time_unwatched() {
    times_.unwatched_us.push_back(time([&] { run_unwatched(); }));
    if (on_device()) times_.clocks.push_back(*classifier_.session().clock());
  }

  std::optional<DeviceClocks> device_clocks() const {
    if (!on_device()) return std::nullopt;
    std::vector<double> finished, device, enqueued;
    for (const RunClock& clock : times_.clocks) {
      finished.push_back(static_cast<double>(clock.finished_ns) / 1e3);
      device.push_back(static_cast<double>(clock.device_ns) / 1e3);
      enqueued.push_back(static_cast<double>(clock.enqueued_ns) / 1e3);
    }
    const TesseraFacts facts = facts_of(*classifier_.program().device());
    return DeviceClocks{.device = describe_device(facts),
                        .hardware = facts.emulated == 0,
                        .finished_us = median_of(std::move(finished)),
                        .device_us = median_of(std::move(device)),
                        .enqueued_us = median_of(std::move(enqueued))};
  }

  std::int64_t batch() const { return setting_.run.max_batch; }
  template <class Work>
  static double time(const Work& work) {
    const std::int64_t begin = now_ns();
    work();
    return static_cast<double>(now_ns() - begin) / 1e3;
  }

  ProfileSetting setting_;
  Classifier classifier_;
  Tensor input_;
  NodeTimes profile_;
  std::unique_ptr<Trace> trace_;
  std::vector<Observer*> observers_;
  RunTimes times_;
};

constexpr std::array<std::string_view, 4> kGroupNames{"node", "type", "stage", "block"};

const std::string& key_of(const ProfileLine& node, GroupBy by) {
  switch (by) {
    case GroupBy::kNode:
      return node.name;
    case GroupBy::kType:
      return node.layer;
    case GroupBy::kStage:
      return node.stage;
    case GroupBy::kBlock:
      return node.block;
  }
  throw InternalError("unknown grouping");
}

void add_node(ProfileLine& group, const ProfileLine& node) {
  group.macs += node.macs;
  group.bytes += node.bytes;
  group.roof_us += node.roof_us;
  group.node_medians_us += node.node_medians_us;
  for (std::size_t run = 0; run < group.times_us.size(); ++run) group.times_us[run] += node.times_us[run];
}

}  // namespace

std::string_view to_string(GroupBy by) { return kGroupNames.at(static_cast<std::size_t>(by)); }

GroupBy group_by_from_string(std::string_view name) {
  const auto found = std::ranges::find(kGroupNames, name);
  if (found == kGroupNames.end()) {
    throw UsageError("profiles are grouped by node, type, stage or block, not '" + std::string(name) + "'");
  }
  return static_cast<GroupBy>(found - kGroupNames.begin());
}

std::vector<ProfileLine> lines_of(const ModelProfile& profile, GroupBy by) {
  if (by == GroupBy::kNode) return profile.nodes;
  std::vector<ProfileLine> groups;
  std::map<std::string, std::size_t> places;
  std::vector<double> memory_us;  // of each group's roof, what memory bounds
  for (const ProfileLine& node : profile.nodes) {
    const std::string& key = key_of(node, by);
    const auto [place, added] = places.emplace(key, groups.size());
    if (added) {
      groups.push_back({.name = key, .nodes = 0, .times_us = std::vector<double>(node.times_us.size())});
      memory_us.push_back(0);
      if (by != GroupBy::kType) groups.back().stage = node.stage;
      if (by == GroupBy::kBlock) groups.back().block = node.block;
    }
    ProfileLine& group = groups[place->second];
    add_node(group, node);
    ++group.nodes;
    if (node.memory_bound) memory_us[place->second] += node.roof_us;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].memory_bound = memory_us[i] > groups[i].roof_us / 2;
    derive(groups[i], profile.sum_of_medians_us);
  }
  return groups;
}

ProfileResult profile_models(const ProfilePlan& plan) {
  std::vector<std::unique_ptr<Profiler>> profilers;
  for (const ProfileSetting& setting : plan.settings) {
    profilers.push_back(std::make_unique<Profiler>(setting, plan.trace));
    for (int run = 0; run < plan.warm_ups; ++run) profilers.back()->run_unwatched();
  }
  for (int run = 0; run < plan.runs; ++run) {
    for (const auto& profiler : profilers) {
      if (profilers.size() > 1) profiler->run_unwatched();  // the others' weights are in the caches
      profiler->round(run);
    }
  }
  ProfileResult result;
  std::map<std::pair<std::string, int>, Roofline> roofs;
  for (const auto& profiler : profilers) {
    const RunOptions& run = profiler->run_options();
    const auto [roof, added] = roofs.try_emplace({run.isa, profiler->on_device() ? 0 : run.threads});
    if (added && !profiler->on_device()) roof->second = measure_roofline(run.isa, run.threads);
    result.profiles.push_back(profiler->result(roof->second));
    if (std::unique_ptr<Trace> trace = profiler->take_trace()) result.traces.push_back(std::move(*trace));
  }
  std::vector<NamedModel> named;
  for (std::size_t i = 0; i < plan.settings.size(); ++i) {
    named.push_back({result.profiles[i].model, plan.settings[i].model});
  }
  const std::vector<std::string> names = names_of_settings(named);
  for (std::size_t i = 0; i < names.size(); ++i) result.profiles[i].model = names[i];
  return result;
}

}  // namespace tessera
