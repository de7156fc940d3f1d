// tessera bench: latency and throughput over batches and threads.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/output_file.h"
#include "core/resources.h"
#include "evaluation/inspect/sweep.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct BenchCommand {
  SweepPlan plan;
  std::filesystem::path csv, plot;
  bool json = false;
};

nlohmann::json to_json(const std::vector<SweepResult>& results) {
  nlohmann::json rows = nlohmann::json::array();
  for (const SweepResult& r : results) {
    rows.push_back({{"model", r.model},
                    {"device", r.device},
                    {"dtype", r.dtype},
                    {"batch", r.batch},
                    {"threads", r.threads},
                    {"min_ms", r.min_ms},
                    {"p50_ms", r.p50_ms},
                    {"p90_ms", r.p90_ms},
                    {"p99_ms", r.p99_ms},
                    {"images_per_s", r.images_per_second}});
  }
  return {{"results", std::move(rows)}};
}

int run(BenchCommand command) {
  check_drawing_path("--plot", command.plot);
  if (!command.csv.empty()) check_output(command.csv);
  if (command.plan.threads.empty()) command.plan.threads = {usable_cores()};
  install_signal_handlers();
  CountLine count;
  const std::vector<SweepResult> results = run_sweep(command.plan, [&](std::size_t done, std::size_t total) {
    count(fmt::format("measuring: {} of {} visits", done, total), done == total);
    return !stop_requested();
  });
  count.end();
  if (stop_requested()) tell("stopped; what was measured is kept");
  if (!command.csv.empty()) write_file(command.csv, sweep_csv(results));
  if (!command.plot.empty()) write_drawing(command.plot, draw_sweep(results));
  if (command.json) {
    print_json(to_json(results));
  } else {
    print_out("{}", sweep_text(results));
  }
  return signal_exit_code();
}

}  // namespace

void add_bench(Command& app, Outcome& outcome) {
  auto command = std::make_shared<BenchCommand>();
  SweepPlan& plan = command->plan;
  plan.batches = {1, 8, 32};
  plan.threads.clear();  // run() uses all cores
  constexpr int kMostPictures = 4096, kMostThreads = 1024, kMostRuns = 1'000'000;
  Command* sub = app.add_subcommand("bench", "Latency and throughput of models over batches and threads");
  sub->add_option("model", plan.models, "models")->required();
  sub->add_option("--batch", plan.batches, "pictures at once: a list")
      ->delimiter(',')
      ->check(in_range(1, kMostPictures))
      ->capture_default_str();
  sub->add_option("--threads", plan.threads,
                  "threads: a list (default: physical cores, within the CPU limit of a container)")
      ->delimiter(',')
      ->check(in_range(1, kMostThreads));
  sub->add_option("--dtype", plan.dtypes,
                  "what matrix products multiply: a list of f32, bf16, int8; on a GPU tf32, f16")
      ->delimiter(',')
      ->check(one_of({"f32", "bf16", "int8", "tf32", "f16"}))
      ->capture_default_str();
  Option* seconds = sub->add_option("--seconds", plan.seconds, "how long each row is measured, in five rounds")
                        ->check(in_range(0.001, 86400.0))
                        ->capture_default_str();
  sub->add_option("--runs", plan.runs, "so many counted runs of each row instead")
      ->check(in_range(1, kMostRuns))
      ->excludes(seconds);
  sub->add_option("--csv", command->csv, "write the table as CSV");
  sub->add_option("--plot", command->plot, "draw latency against throughput: a .svg or .png file");
  add_engine_options(*sub, plan.run);
  add_json_option(*sub, command->json);
  sub->footer(
      "Examples:\n"
      "  tessera bench seeded:resnet50@7 seeded:vit_base_patch16_224@7 --batch 1,8,32 --threads 1,2\n"
      "  tessera bench efficientnet_lite0 --dtype f32,bf16 --csv lite.csv --plot lite.svg\n"
      "Ctrl-C ends the sweep and keeps what has been measured.");
  sub->callback([command, &outcome] { outcome.exit_code = run(*command); });
}

}  // namespace tessera
