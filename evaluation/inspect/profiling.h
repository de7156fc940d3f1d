#pragma once
// Measures where a model's time goes: each node against the machine's roofline, whole runs, and the cost of watching
// them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/roofline.h"
#include "evaluation/ready/classifier.h"

namespace tessera {

class Trace;

struct Spread {
  double min = 0, median = 0, p99 = 0;  // by nearest rank
};

// A node, or all nodes of a type, stage or block.
struct ProfileLine {
  std::string name;                   // a node's path, a type ("Conv2d"), a stage ("layer1") or a block ("layer1.0")
  std::string layer, kernel, output;  // of a node; empty for a group
  std::vector<std::string> computes;  // of a node: paths of the layers in it
  std::string stage, block;           // that it belongs to; empty for a type
  std::size_t nodes = 1;
  std::int64_t macs = 0,
               bytes = 0;        // of the whole batch; bytes: inputs, weights and output as they are kept, each once
  Spread us;                     // of its time in a run
  double share = 0;              // of the sum of all nodes' medians, 0 to 1
  double gflops = 0, gbs = 0;    // 2 * macs, and bytes, over the median
  double intensity = 0;          // operations for each byte
  double roof_us = 0;            // the least time by the roofline; for a group the nodes' sum; 0: unknown
  double of_roof = 0;            // roof_us over the median: above 1 where its inputs are in a cache
  bool memory_bound = false;     // memory sets the roof of (most of) it
  std::vector<double> times_us;  // by run
  double node_medians_us = 0;    // the nodes' sum
};

// Whole runs on a device, unwatched, by three clocks: the median of each.
struct DeviceClocks {
  std::string device;      // what it is
  bool hardware = true;    // false: a stand-in, whose times mean nothing
  double finished_us = 0;  // the host's, once results are there
  double device_us = 0;    // the device's own
  double enqueued_us = 0;  // the host's, as soon as all work is in the queue: one that does not wait
};

struct ModelProfile {
  std::string model, device, dtype;
  int threads = 1;
  std::int64_t batch = 1;
  int runs = 0;
  Roofline roof;                       // of its threads; none for a device
  std::optional<DeviceClocks> clocks;  // of a device
  std::vector<ProfileLine> nodes;
  double sum_of_medians_us = 0;
  Spread run_us;        // whole runs, watched
  Spread unwatched_us;  // whole runs without an observer, alternating with the others
  double gap_us = 0;    // median of what a run takes beyond the sum of its nodes
  double watching = 0;  // median of what a watched run takes beyond the one beside it, as a share of it
};

enum class GroupBy { kNode, kType, kStage, kBlock };
std::string_view to_string(GroupBy by);
// "node", "type", "stage" or "block". Throws UsageError.
GroupBy group_by_from_string(std::string_view name);
// In the order of execution.
std::vector<ProfileLine> lines_of(const ModelProfile& profile, GroupBy by);

struct ProfileSetting {
  std::string model;
  RunOptions run;  // its batch is max_batch
};

struct ProfilePlan {
  std::vector<ProfileSetting> settings;
  int warm_ups = 3, runs = 20;
  bool trace = false;  // the threads are watched, too
};

struct ProfileResult {
  std::vector<ModelProfile> profiles;  // by setting
  std::vector<Trace> traces;           // by setting; empty unless the plan has `trace`
};

// Loads all models and runs them in turn, so that drift of the machine affects all alike. Pictures are grey, since
// times do not depend on them. Throws as Classifier and measure_roofline do.
ProfileResult profile_models(const ProfilePlan& plan);

}  // namespace tessera
