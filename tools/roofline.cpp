// tessera roofline: the machine's peaks.

#include "cpu/roofline.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

int run_roofline(const CommonOptions& common) {
  const RunOptions options = common.run_options(1);
  std::vector<Roofline> roofs;
  for (int threads = 1; threads <= options.threads; threads *= 2) {
    roofs.push_back(measure_roofline(options.isa, threads));
  }
  if (common.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Roofline& roof : roofs) {
      all.push_back(
          {{"isa", roof.isa}, {"threads", roof.threads}, {"gflops", roof.gflops}, {"read_gbs", roof.read_gbs}});
    }
    print_json(all);
    return 0;
  }
  print_out("{:<8} {:>8} {:>10} {:>10} {:>16}\n", "ISA", "Threads", "GFLOP/s", "GB/s read", "FLOP for a byte");
  for (const Roofline& roof : roofs) {
    print_out("{:<8} {:>8} {:>10.1f} {:>10.1f} {:>16.1f}\n", roof.isa, roof.threads, roof.gflops, roof.read_gbs,
              roof.gflops / roof.read_gbs);
  }
  print_out("A layer with fewer operations for each byte that it moves than the last column waits for memory.\n");
  return 0;
}

}  // namespace

void add_roofline(Command& app, Outcome& outcome) {
  auto common = std::make_shared<CommonOptions>();
  Command* sub = app.add_subcommand("roofline", "What this machine does at most: multiply-adds and reads a second");
  add_isa_option(*sub, common->run.isa);
  sub->add_option("--threads", common->threads,
                  "up to so many threads (default: physical cores, within the CPU limit of a container)");
  add_json_option(*sub, common->json);
  sub->footer("Example:\n  tessera roofline");
  sub->callback([common, &outcome] { outcome.exit_code = run_roofline(*common); });
}

}  // namespace tessera
