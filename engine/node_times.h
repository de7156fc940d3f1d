#pragma once
// NodeTimes: an observer that keeps the time of every node of every run. A node's time in a batch that is run in parts
// is that of all parts; where several lanes run at the same time, a part's time counts by their number, so that the
// nodes' times are shares of the run's.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/program.h"

namespace tessera {

struct NodeTime {
  std::string path;
  std::string layer;
  std::string implementation;
  std::vector<std::string> origin;
  Shape output;
  std::int64_t macs = 0;         // of the whole batch
  std::int64_t bytes = 0;        // inputs, weights and output as they are kept, each once
  std::vector<double> times_us;  // by run
};

// Not thread-safe. Nodes are those of one program.
class NodeTimes final : public Observer {
 public:
  explicit NodeTimes(const Program& program);
  bool reads_values() const override { return false; }
  void before_run() override;
  void after_node(const NodeEvent& event) override;

  // A row a node in execution order. Empty before the first run.
  std::vector<NodeTime> rows() const;

 private:
  const Program& program_;
  std::vector<std::vector<double>> times_us_;  // by node
  std::int64_t batch_ = 0;
};

}  // namespace tessera
