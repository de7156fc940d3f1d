// tessera profile: the time of each layer. tessera roofline: what the machine could do at most.

#include "engine/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cpu/roofline.h"
#include "evaluation/classifier.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct ProfileCommand {
  CommonOptions common;
  std::string model;
  std::int64_t batch = 1;
  int runs = 20;
  bool unfused = false;
};

constexpr int kWarmUps = 3;

nlohmann::json to_json(const ProfileRow& row) {
  return {{"path", row.path},
          {"layer", row.layer},
          {"kernel", row.implementation},
          {"computes", row.origin},
          {"output", to_string(row.output)},
          {"macs", row.macs},
          {"bytes", row.bytes},
          {"min_us", row.min_us},
          {"median_us", row.median_us},
          {"p99_us", row.p99_us},
          {"gflops", row.gflops}};
}

void print_rows(const std::vector<ProfileRow>& rows, double total_us, double peak) {
  fmt::print("{:<30} {:<22} {:<20} {:>10} {:>7} {:>9} {:>7}\n", "Layer", "Kernel", "Output", "Median us", "Share",
             "GFLOP/s", "Of peak");
  for (const ProfileRow& row : rows) {
    const std::string speed = row.macs == 0 ? "" : fmt::format("{:.1f}", row.gflops);
    const std::string of_peak = row.macs == 0 || peak <= 0 ? "" : fmt::format("{:.0f} %", row.gflops / peak * 100);
    fmt::print("{:<30} {:<22} {:<20} {:>10.1f} {:>5.1f} % {:>9} {:>7}\n", row.path, row.implementation,
               to_string(row.output), row.median_us, row.median_us / total_us * 100, speed, of_peak);
  }
  fmt::print("{:<30} {:<22} {:<20} {:>10.1f}\n", "sum of medians", "", "", total_us);
}

int run_profile(const ProfileCommand& command) {
  RunOptions options = command.common.run_options(command.batch);
  options.optimise = !command.unfused;
  Classifier classifier(command.model, options);
  std::ranges::fill(classifier.input(command.batch).values(), 0.5F);
  for (int run = 0; run < kWarmUps; ++run) classifier.run(command.batch);
  Profile profile(classifier.program());
  Observer* const observer = &profile;
  for (int run = 0; run < command.runs; ++run) {
    classifier.session().run(classifier.input(command.batch), {&observer, 1});
  }
  const std::vector<ProfileRow> rows = profile.rows();
  const bool on_cpu = classifier.program().backend() == "cpu";
  const double peak = on_cpu ? measure_roofline(options.isa, options.threads).gflops : 0;
  if (command.common.json) {
    nlohmann::json layers = nlohmann::json::array();
    for (const ProfileRow& row : rows) layers.push_back(to_json(row));
    print_json({{"model", command.model},
                {"batch", command.batch},
                {"threads", options.threads},
                {"runs", command.runs},
                {"sum_of_medians_us", profile.sum_of_medians_us()},
                {"peak_gflops", peak},
                {"layers", layers}});
    return 0;
  }
  fmt::print("{}: batch {}, {} thread{}, median of {} runs", command.model, command.batch, options.threads,
             options.threads == 1 ? "" : "s", command.runs);
  if (on_cpu) fmt::print(", peak {:.0f} GFLOP/s (float32 multiply-adds between registers, measured)", peak);
  fmt::print("\n");
  fmt::print(
      "GFLOP/s count two operations for each multiply-add of the definition: Winograd, bf16 and int8 can pass the "
      "peak.\n\n");
  print_rows(rows, profile.sum_of_medians_us(), peak);
  return 0;
}

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
  fmt::print("{:<8} {:>8} {:>10} {:>10} {:>16}\n", "ISA", "Threads", "GFLOP/s", "GB/s read", "FLOP for a byte");
  for (const Roofline& roof : roofs) {
    fmt::print("{:<8} {:>8} {:>10.1f} {:>10.1f} {:>16.1f}\n", roof.isa, roof.threads, roof.gflops, roof.read_gbs,
               roof.gflops / roof.read_gbs);
  }
  fmt::print("A layer with fewer operations for each byte that it moves than the last column waits for memory.\n");
  return 0;
}

}  // namespace

void add_profile(CLI::App& app, Outcome& outcome) {
  auto command = std::make_shared<ProfileCommand>();
  CLI::App* sub = app.add_subcommand("profile", "The time of each layer, its kernel, and how near it is to the peak");
  sub->add_option("model", command->model, "a model")->required();
  sub->add_option("--batch", command->batch, "pictures at once")->check(CLI::Range(1, 4096))->capture_default_str();
  sub->add_option("--runs", command->runs, "runs, after three to warm up")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  sub->add_flag("--unfused", command->unfused, "run the graph as the paper draws it, without passes");
  add_common_options(*sub, command->common);
  sub->footer("Example:\n  tessera profile seeded:resnet50@7 --threads 1");
  sub->callback([command, &outcome] { outcome.exit_code = run_profile(*command); });
}

void add_roofline(CLI::App& app, Outcome& outcome) {
  auto common = std::make_shared<CommonOptions>();
  CLI::App* sub = app.add_subcommand("roofline", "What this machine does at most: multiply-adds and reads a second");
  sub->add_option("--isa", common->run.isa, "instruction set: auto, avx512, avx2 or sse4")->capture_default_str();
  sub->add_option("--threads", common->threads, "up to so many threads (default: physical cores)");
  add_json_option(*sub, common->json);
  sub->footer("Example:\n  tessera roofline");
  sub->callback([common, &outcome] { outcome.exit_code = run_roofline(*common); });
}

}  // namespace tessera
