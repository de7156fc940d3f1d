// tessera profile: where a model's time goes, node by node, and where one of two models or settings is faster.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/output_file.h"
#include "evaluation/inspect/profile_formats.h"
#include "evaluation/inspect/profiling.h"
#include "evaluation/inspect/trace.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct ProfileCommand {
  CommonOptions common;
  std::vector<std::string> models, dtypes;
  std::vector<int> threads;
  std::vector<std::int64_t> batches{1};
  std::string by = "node", csv, trace, html;
  int runs = 20, warm_ups = 3;
  bool unfused = false;
};

// Each model in each dtype, number of threads and batch.
std::vector<ProfileSetting> settings_of(const ProfileCommand& command) {
  std::vector<ProfileSetting> settings;
  const std::vector<std::string> dtypes =
      command.dtypes.empty() ? std::vector{command.common.run.dtype} : command.dtypes;
  const std::vector<int> threads = command.threads.empty() ? std::vector{0} : command.threads;
  for (const std::string& model : command.models) {
    for (const std::string& dtype : dtypes) {
      for (const int count : threads) {
        for (const std::int64_t batch : command.batches) {
          CommonOptions common = command.common;
          common.threads = count;
          ProfileSetting& setting = settings.emplace_back(ProfileSetting{model, common.run_options(batch)});
          setting.run.dtype = dtype;
          setting.run.optimise = !command.unfused;
        }
      }
    }
  }
  return settings;
}

std::size_t name_width(std::size_t least, const std::vector<std::string>& names) {
  for (const std::string& name : names) least = std::max(least, name.size());
  return least;
}

// "" where the roof is not known.
std::string of_roof_text(const ProfileLine& line) {
  return line.roof_us > 0 ? fmt::format("{:.0f} % {}", line.of_roof * 100, line.memory_bound ? "m" : "c") : "";
}

void print_lines(const ModelProfile& profile, GroupBy by) {
  const std::vector<ProfileLine> lines = lines_of(profile, by);
  const bool nodes = by == GroupBy::kNode;
  std::vector<std::string> names, kernels;
  for (const ProfileLine& line : lines) {
    names.push_back(line.name);
    kernels.push_back(nodes ? line.kernel : fmt::format("{}", line.nodes));
  }
  const std::size_t width = name_width(17, names), kernel_width = name_width(6, kernels);
  print_out("{:<{}}  {:<{}} {:>9} {:>9} {:>9} {:>7} {:>8} {:>7} {:>7} {:>9}\n", nodes ? "Layer" : to_string(by), width,
            nodes ? "Kernel" : "Nodes", kernel_width, "Min us", "Median us", "p99 us", "Share", "GFLOP/s", "GB/s",
            "FLOP/B", "Of roof");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const ProfileLine& line = lines[i];
    const std::string speed = line.macs == 0 ? "" : fmt::format("{:.1f}", line.gflops);
    const std::string intensity = line.macs == 0 ? "" : fmt::format("{:.1f}", line.intensity);
    print_out("{:<{}}  {:<{}} {:>9.1f} {:>9.1f} {:>9.1f} {:>5.1f} % {:>8} {:>7.1f} {:>7} {:>9}\n", line.name, width,
              kernels[i], kernel_width, line.us.min, line.us.median, line.us.p99, line.share * 100, speed, line.gbs,
              intensity, of_roof_text(line));
  }
}

void print_totals(const ModelProfile& profile) {
  print_out("\n{:<28} {:>10.1f} us\n", "Sum of the nodes' medians", profile.sum_of_medians_us);
  print_out("{:<28} {:>10.1f} us (min {:.1f}, p99 {:.1f}), {:.1f} pictures/s\n", "Whole run, median",
            profile.run_us.median, profile.run_us.min, profile.run_us.p99,
            static_cast<double>(profile.batch) * 1e6 / profile.run_us.median);
  print_out("{:<28} {:>10.1f} us ({:.2f} %): what a run takes beyond its nodes, median\n", "Gap", profile.gap_us,
            profile.gap_us / profile.run_us.median * 100);
  print_out("{:<28} {:>9.2f} % beyond the unwatched run beside it (median {:.1f} us), median of {} pairs\n",
            "Cost of profiling", profile.watching * 100, profile.unwatched_us.median, profile.runs);
}

void print_clocks(const DeviceClocks& clocks) {
  print_out("{}{}\n", clocks.device, clocks.hardware ? "" : ", not hardware: its times mean nothing");
  print_out("Whole run: {:.1f} us by the host's clock once the device is done, {:.1f} us by the device's events.\n",
            clocks.finished_us, clocks.device_us);
  print_out("A clock that does not wait for the device would read {:.1f} us.\n\n", clocks.enqueued_us);
}

void print_roof(const ModelProfile& profile) {
  print_out("Roofline of {} thread{}: {:.0f} GFLOP/s (float32 multiply-adds between registers, {}), {:.1f} GB/s read\n",
            profile.roof.threads, profile.roof.threads == 1 ? "" : "s", profile.roof.gflops, profile.roof.isa,
            profile.roof.read_gbs);
  print_out(
      "Of roof: the least time that multiply-adds (c) or memory (m) allow, as a share of the median. Two operations "
      "for each\nmultiply-add of the definition: Winograd, bf16, int8 and values that lie in a cache can pass 100 "
      "%.\n\n");
}

void print_profile(const ModelProfile& profile, GroupBy by) {
  print_out("{}: {} runs on device {}\n", title_of(profile), profile.runs, profile.device);
  if (profile.clocks) {
    print_clocks(*profile.clocks);
  } else {
    print_roof(profile);
  }
  print_lines(profile, by);
  print_totals(profile);
}

void print_comparison(const std::vector<ModelProfile>& profiles, GroupBy by) {
  const std::vector<ComparedLine> compared = compare_lines(profiles, by);
  std::vector<std::string> names;
  names.reserve(compared.size());
  for (const ComparedLine& line : compared) names.push_back(line.name);
  const std::size_t width = name_width(26, names);
  for (std::size_t i = 0; i < profiles.size(); ++i) print_out("[{}] {}\n", i + 1, title_of(profiles[i]));
  print_out("Medians of {} runs each, by turns, in us; ratio to [1]\n\n", profiles[0].runs);
  print_out("{:<{}}", to_string(by), width);
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    print_out(" {:>11} {:>7}", fmt::format("[{}]", i + 1), i == 0 ? "Share" : "Ratio");
  }
  print_out("\n");
  const auto print_values = [&](const std::string& name, const auto& value_of, const auto& share_of_first) {
    print_out("{:<{}}", name, width);
    const std::optional<double> first = value_of(0);
    for (std::size_t i = 0; i < profiles.size(); ++i) {
      const std::optional<double> value = value_of(i);
      std::string beside = i == 0 ? share_of_first : "";
      if (i > 0 && first && value && *first > 0) beside = fmt::format("{:.3f}", *value / *first);
      print_out(" {:>11} {:>7}", value ? fmt::format("{:.1f}", *value) : "-", beside);
    }
    print_out("\n");
  };
  for (const ComparedLine& line : compared) {
    const std::string share = line.lines[0] ? fmt::format("{:.1f} %", line.lines[0]->share * 100) : "";
    print_values(
        line.name,
        [&](std::size_t i) { return line.lines[i] ? std::optional(line.lines[i]->us.median) : std::nullopt; }, share);
  }
  print_values(
      "Sum of the nodes' medians", [&](std::size_t i) { return std::optional(profiles[i].sum_of_medians_us); },
      std::string());
  print_values(
      "Whole run, median", [&](std::size_t i) { return std::optional(profiles[i].run_us.median); }, std::string());
}

void write_files(const ProfileCommand& command, const ProfileResult& result, GroupBy by) {
  if (!command.csv.empty()) write_file(command.csv, profile_csv(result.profiles, by));
  if (!command.html.empty()) write_file(command.html, profile_page(result.profiles));
  if (command.trace.empty()) return;
  std::vector<std::string> titles;
  for (const ModelProfile& profile : result.profiles) titles.push_back(title_of(profile));
  write_file(command.trace, trace_document(result.traces, titles).dump() + "\n");
}

int run_profile(const ProfileCommand& command) {
  const GroupBy by = group_by_from_string(command.by);
  for (const std::string& path : {command.csv, command.trace, command.html}) {
    if (!path.empty()) check_output(path);
  }
  const ProfileResult result = profile_models({.settings = settings_of(command),
                                               .warm_ups = command.warm_ups,
                                               .runs = command.runs,
                                               .trace = !command.trace.empty()});
  write_files(command, result, by);
  if (command.common.json) {
    print_json(result.profiles.size() == 1 ? to_json(result.profiles[0]) : comparison_json(result.profiles, by));
  } else if (result.profiles.size() == 1) {
    print_profile(result.profiles[0], by);
  } else {
    print_comparison(result.profiles, by);
  }
  return 0;
}

}  // namespace

void add_profile(Command& app, Outcome& outcome) {
  auto command = std::make_shared<ProfileCommand>();
  Command* sub =
      app.add_subcommand("profile", "The time of each layer, its kernel, and how near it is to the roofline");
  sub->add_option("model", command->models, "a model; several are compared line by line")->required();
  add_common_options(*sub, command->common);
  sub->remove_option("--dtype");
  sub->remove_option("--threads");
  sub->add_option("--dtype", command->dtypes, "f32, bf16, int8, on a GPU tf32, f16; several, with commas, are compared")
      ->delimiter(',');
  sub->add_option("--threads", command->threads, "threads (default: physical cores); several are compared")
      ->delimiter(',');
  sub->add_option("--batch", command->batches, "pictures at once; several are compared")
      ->delimiter(',')
      ->check(in_range(1, 4096))
      ->capture_default_str();
  sub->add_option("--by", command->by, "a line a node, type, stage or block")->capture_default_str();
  sub->add_option("--runs", command->runs, "runs that count")->check(in_range(1, 100000))->capture_default_str();
  sub->add_option("--warmup", command->warm_ups, "runs before them")->check(in_range(0, 1000))->capture_default_str();
  sub->add_flag("--unfused", command->unfused, "run the graph as the paper draws it, without passes");
  sub->add_option("--csv", command->csv, "write the lines to this file as well");
  sub->add_option("--trace", command->trace, "write every run, a row a thread, for ui.perfetto.dev");
  sub->add_option("--html", command->html, "write one page: bars of stages, blocks and layers, the roofline, tables");
  sub->footer(
      "Where a batch goes to several threads as whole pictures, a node's time is that of all threads by their number, "
      "so that\n"
      "nodes still add up to the run.\n\n"
      "Examples:\n"
      "  tessera profile seeded:resnet50@7 --threads 1 --by block\n"
      "  tessera profile resnet50.h5 --html profile.html --trace trace.json\n"
      "  tessera profile resnet50.h5 --dtype f32,bf16 --by stage\n"
      "  tessera profile resnet50.h5 vit.h5 --by type");
  sub->callback([command, &outcome] { outcome.exit_code = run_profile(*command); });
}

}  // namespace tessera
