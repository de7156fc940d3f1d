#pragma once
// Shared by the subcommands: common options, output, files. tools/ is the only folder that prints and exits.

#include <atomic>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/draw/canvas.h"
#include "evaluation/ready/classifier.h"
#include "tools/command_line.h"
#include "vision/decode.h"

namespace tessera {

// --device, --dtype, --threads, --preprocess, --pillow, --decoder, --image-size, --size, --json, --no-verify.
struct CommonOptions {
  RunOptions run;
  std::string decoder = "auto";
  int threads = 0;  // 0: physical cores
  bool json = false;

  // The options for the engine, with threads resolved and `max_batch` set. Throws UsageError.
  RunOptions run_options(std::int64_t max_batch) const;
  DecodeOptions decode_options() const;
};
void add_common_options(Command& command, CommonOptions& options);
// The subset that chooses a device and how it computes: --device, --isa, --exact, --tune, --image-size, --size,
// --no-verify.
void add_engine_options(Command& command, RunOptions& options);
// --budget, for budget_from_string().
void add_budget_option(Command& command, std::string& budget);
void add_json_option(Command& command, bool& json);
// --image-size H[xW].
Option* add_image_size_option(Command& command, std::optional<Sides>& size, const std::string& help);
// --size train|test, instead of --image-size.
void add_timm_size_option(Command& command, std::string& when, Option* image_size);
void add_pillow_option(Command& command, int& pillow);
void add_isa_option(Command& command, std::string& isa);

// The exit code of a subcommand that did not throw.
struct Outcome {
  int exit_code = 0;
};

// Each adds its subcommand to the application; the callback sets the outcome.
void add_classify(Command& app, Outcome& outcome);
void add_compare(Command& app, Outcome& outcome);
void add_merge(Command& app, Outcome& outcome);
void add_analyze(Command& app, Outcome& outcome);
void add_bench(Command& app, Outcome& outcome);
void add_inspect(Command& app, Outcome& outcome);
void add_convert(Command& app, Outcome& outcome);
void add_verify(Command& app, Outcome& outcome);
void add_dump(Command& app, Outcome& outcome);
void add_diff(Command& app, Outcome& outcome);
void add_profile(Command& app, Outcome& outcome);
void add_roofline(Command& app, Outcome& outcome);
void add_probe(Command& app, Outcome& outcome);
void add_quantize(Command& app, Outcome& outcome);
void add_selftest(Command& app, Outcome& outcome);
void add_synth(Command& app, Outcome& outcome);
void add_seed_weights(Command& app, Outcome& outcome);
void add_models(Command& app, Outcome& outcome);

// Writes to stderr why pictures could not be read: the first reasons, and how many more there are.
void print_failures(const std::vector<std::string>& failed);
void print_json(const nlohmann::json& json);
// Writes a figure in the format of the path's extension. check_drawing_path() throws UsageError, naming the option, for
// any extension but .svg and .png; call it before the work whose result is drawn.
void check_drawing_path(const char* option, const std::filesystem::path& path);
void write_drawing(const std::filesystem::path& path, const Drawing& drawing);
bool is_terminal(int descriptor);

// SIGINT and SIGTERM set this; a second one ends the process at once.
const std::atomic<bool>& stop_requested();
void install_signal_handlers();
// 130 or 143 after a signal, otherwise 0.
int signal_exit_code();

}  // namespace tessera
