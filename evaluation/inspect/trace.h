#pragma once
// Runs as spans of time, a row a thread, in the Trace Event Format's JSON, which Perfetto (ui.perfetto.dev) and
// chrome://tracing open: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Spans are
// complete events ("X", `ts` and `dur` in microseconds); on one row they nest, as Perfetto requires: run, stage, block,
// node, the thread's part of a parallel region.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/region_observer.h"
#include "engine/program.h"

namespace tessera {

// Watches the runs of one session. after_part() may be called from several threads at once, the rest one at a time.
class Trace final : public Observer, public RegionObserver {
 public:
  explicit Trace(const Program& program);
  bool reads_values() const override { return false; }
  void after_node(const NodeEvent& event) override;
  void after_part(int thread, std::int64_t begin_ns, std::int64_t end_ns, std::int64_t tasks) override;
  // A whole run, after its nodes. Steady clock.
  void end_run(std::int64_t begin_ns, std::int64_t end_ns);

  // Appends the spans to `events` as process `pid`, called `name`. Times count from `origin_ns`.
  void write(std::vector<nlohmann::json>& events, int pid, const std::string& name, std::int64_t origin_ns) const;
  // When the first run began. Throws InternalError before one has ended.
  std::int64_t begin_ns() const;

 private:
  struct Span {
    std::int64_t begin_ns, end_ns;
  };
  struct NodeSpan {
    Span span;
    std::size_t node;
    std::int64_t picture;
  };
  struct Part {
    Span span;
    std::int64_t tasks;
  };
  // What is written about a node in every run; owned, so that a trace can outlive its program.
  struct NodeText {
    std::string path, stage, block, layer, kernel, output;
  };

  class Row;
  void write_nodes(Row& row, const std::vector<NodeSpan>& nodes) const;
  const NodeSpan* node_at(std::int64_t ns) const;

  std::vector<NodeText> texts_;
  std::vector<std::vector<NodeSpan>> nodes_;  // by lane
  std::vector<Span> runs_;
  std::vector<std::vector<Part>> parts_;  // by thread
};

// One document for several traces, each shown as a process.
nlohmann::json trace_document(const std::vector<Trace>& traces, const std::vector<std::string>& names);

}  // namespace tessera
