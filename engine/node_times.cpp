#include "engine/node_times.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace tessera {

NodeTimes::NodeTimes(const Program& program) : program_(program), times_us_(program.graph().nodes().size()) {}

void NodeTimes::before_run() {
  for (std::vector<double>& times : times_us_) times.push_back(0);
  batch_ = 0;
}

void NodeTimes::after_node(const NodeEvent& event) {
  times_us_[event.index].back() += static_cast<double>(event.end_ns - event.begin_ns) / 1e3 / event.lanes_at_once;
  batch_ = std::max(batch_, event.picture + event.output.shape()[0]);
}

std::vector<NodeTime> NodeTimes::rows() const {
  std::vector<NodeTime> rows;
  const Graph& graph = program_.graph();
  for (std::size_t n = 0; n < graph.nodes().size() && !times_us_[n].empty(); ++n) {
    const Node& node = graph.nodes()[n];
    std::vector<Shape> in = graph.input_shapes(node);
    Shape out = graph.shape(node.output);
    auto bytes = static_cast<std::int64_t>(program_.kernel(n).weight_bytes());
    for (std::size_t i = 0; i < in.size(); ++i) {
      in[i][0] = batch_;
      bytes += in[i].count() * bytes_of(program_.type(node.inputs[i]).dtype);
    }
    out[0] = batch_;
    bytes += out.count() * bytes_of(program_.type(node.output).dtype);
    NodeTime row{.path = node.path,
                 .layer = std::string(layer_name(node.layer)),
                 .implementation = std::string(program_.kernel(n).implementation()),
                 .origin = node.origin,
                 .output = out,
                 .macs = layer_macs(node.layer, in, out),
                 .bytes = bytes,
                 .times_us = times_us_[n]};
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace tessera
