// tessera synth: data sets that need no download.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/resources.h"
#include "synth/shapes_data.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct SynthCommand {
  ShapesOptions options;
  std::string out;
  int threads = 0;
  bool json = false;
};

int run_synth(SynthCommand command) {
  constexpr std::int64_t kMost = 100'000'000;
  constexpr int kMostThreads = 1024;
  if (command.options.count < 1 || command.options.count > kMost)
    throw UsageError("--count must lie in 1 to 100000000");
  if (command.threads < 0 || command.threads > kMostThreads) throw UsageError("--threads must lie in 1 to 1024");
  if (command.options.quality < 1 || command.options.quality > 100) throw UsageError("--quality must lie in 1 to 100");
  command.options.threads = command.threads == 0 ? usable_cores() : command.threads;
  install_signal_handlers();
  CountLine count;
  const bool whole = write_shapes(command.out, command.options, stop_requested(), [&](std::int64_t done) {
    count(fmt::format("{}/{} pictures", done, command.options.count), done == command.options.count);
  });
  count.end();
  if (!whole) return signal_exit_code();
  if (command.json) {
    print_json({{"out", command.out},
                {"count", command.options.count},
                {"seed", command.options.seed},
                {"cue_conflict", command.options.cue_conflict}});
  } else {
    print_out("{} pictures in {}; the class of each folder is in its labels.json\n", command.options.count,
              command.out);
  }
  return 0;
}

}  // namespace

void add_synth(Command& app, Outcome& outcome) {
  auto command = std::make_shared<SynthCommand>();
  Command* sub = app.add_subcommand("synth", "Data sets that need no download");
  sub->require_subcommand();
  sub->footer(
      "Examples:\n"
      "  tessera synth shapes --count 50000 --seed 1 -o shapes/\n"
      "`tessera synth shapes --help` says more.");
  Command* shapes = sub->add_subcommand("shapes", "64 x 64 pictures of 16 shapes, each with a texture of its own");
  shapes->add_option("--count", command->options.count, "pictures")->capture_default_str();
  shapes->add_option("--seed", command->options.seed, "another one gives other pictures")->capture_default_str();
  shapes->add_flag("--cue-conflict", command->options.cue_conflict,
                   "the shape of one class with the texture of another (Geirhos et al. 2019)");
  shapes->add_option("--quality", command->options.quality, "of the JPEG files, 1 to 100")->capture_default_str();
  shapes->add_option("--threads", command->threads,
                     "threads (default: physical cores, within the CPU limit of a container)");
  shapes->add_option("-o,--out", command->out, "the folder to make, or an archive x.tar")->required();
  add_json_option(*shapes, command->json);
  shapes->footer(
      "Examples:\n"
      "  tessera synth shapes --count 50000 --seed 1 -o shapes/\n"
      "  tessera synth shapes --count 50000 -o shapes.tar\n"
      "  tessera synth shapes --count 1600 --cue-conflict -o conflict/");
  shapes->callback([command, &outcome] { outcome.exit_code = run_synth(*command); });
}

}  // namespace tessera
