// tessera selftest: a device against the readable layers.

#include "evaluation/check/selftest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct SelftestCommand {
  CommonOptions common;
  bool full = false;
};

nlohmann::json to_json(const std::vector<SelftestRow>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const SelftestRow& row : rows) {
    all.push_back({{"name", row.name},
                   {"kernel", row.implementation},
                   {"error", row.error},
                   {"tolerance", row.tolerance},
                   {"ms", row.ms},
                   {"eigen_ms", row.reference_ms},
                   {"gflops", row.gflops},
                   {"passed", row.passed()}});
  }
  return all;
}

void print_row(const SelftestRow& row) {
  const bool checked = row.tolerance > 0;
  print_out("{:<64} {:<22} {:>10} {:>10} {:>10.3f} {:>10} {:>9}\n", row.name, row.implementation,
            checked ? fmt::format("{:.1e}", row.error) : "", checked ? (row.passed() ? "ok" : "DIFFERS") : "", row.ms,
            checked ? fmt::format("{:.3f}", row.reference_ms) : "",
            row.gflops > 0 ? fmt::format("{:.1f}", row.gflops) : "");
}

void print_head() {
  print_out("{:<64} {:<22} {:>10} {:>10} {:>10} {:>10} {:>9}\n", "Layer, model", "Kernel", "Error", "", "ms",
            "Eigen ms", "GFLOP/s");
}

int run_command(const SelftestCommand& command) {
  const RunOptions options = command.common.run_options(1);
  const bool json = command.common.json;
  bool begun = false;  // so that nothing is printed before the device is open
  const auto done = [&](const SelftestRow& row) {
    if (json) return;
    if (!begun) print_head();
    begun = true;
    print_row(row);
  };
  const SelftestResult result = run_selftest(options, command.full, done);
  const std::string line = selftest_line(result, options);
  if (json) {
    print_json({{"device", result.device},
                {"hardware", result.hardware},
                {"dtype", options.dtype},
                {"passed", result.passed()},
                {"layers", to_json(result.layers)},
                {"left_out", result.left_out},
                {"models", to_json(result.models)},
                {"speeds", to_json(result.speeds)},
                {"line", line}});
  } else {
    for (const std::string& layer : result.left_out) print_out("left out: {}\n", layer);
    print_out("\nErrors are the largest difference, in root mean squares of the expected values; Eigen ran once.\n{}\n",
              line);
  }
  return result.passed() ? 0 : static_cast<int>(ErrorKind::kCheck);
}

}  // namespace

void add_selftest(Command& app, Outcome& outcome) {
  auto command = std::make_shared<SelftestCommand>();
  Command* sub = app.add_subcommand(
      "selftest", "Hold a device against the readable layers: each layer, small models (exit 6: they differ)");
  sub->add_flag("--full", command->full, "time full-size models as well");
  add_common_options(*sub, command->common);
  sub->footer(
      "Examples:\n"
      "  tessera selftest --device cuda --full    (its last line is for a report)\n"
      "  tessera selftest --device cpu --dtype bf16");
  sub->callback([command, &outcome] { outcome.exit_code = run_command(*command); });
}

}  // namespace tessera
